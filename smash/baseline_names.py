"""What baselines are called: the workbench's own, installed plug-ins, functions in modules."""

import difflib
import re
from importlib.metadata import entry_points

BASELINES = (
    "oracle",
    "climatology",
    "poisson",
    "markov",
    "walk",
    "hawkes",
    "etas",
    "mixture",
    "folded_mixture",
)
"""The workbench's own."""
GROUP = "smash.baselines"
"""The group of entry points that installed packages offer forecasters by."""
REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def unknown(name: str) -> str:
    """Returns what is wrong with the name of a baseline; empty where it may be one."""
    if name in BASELINES or REFERENCE.fullmatch(name):
        return ""
    known = [*BASELINES, *installed()]
    if name in known:
        return ""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return (
        f"expected one of {', '.join(known)}, or package.module:function (docs/plug-ins.md), "
        f"given {name!r}{hint}"
    )


def installed() -> list[str]:
    """Returns the names of the entry points that installed packages have."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def is_plug_in(name: str) -> bool:
    """Returns True for names that are not the workbench's own."""
    return name not in BASELINES
