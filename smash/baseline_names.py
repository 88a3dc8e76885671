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
OF_PLACES = ("walk", "etas")
"""Those that are not of events without places."""
RIVALS = ("auto_stpp", "deep_stpp", "rmtpp_gmm", "thp_gmm", "nsmpp")
"""Presets of Seahorse that are offered, as `seahorse:rmtpp_gmm`."""
RIVAL = "seahorse:"
NOT_FREE = re.compile(r".*_(tv)?cnf|neural_.*|njsde")
"""Presets whose code is for non-commercial use alone."""
GROUP = "smash.baselines"
"""The group of entry points that installed packages offer forecasters by."""
REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def unknown(name: str, also: tuple[str, ...] = ()) -> str:
    """Returns what is wrong with the name of a baseline; empty where it may be one, or is `also`
    known.
    """
    if name.startswith(RIVAL):
        return _unknown_rival(name)
    if name in BASELINES or REFERENCE.fullmatch(name):
        return ""
    known = [*BASELINES, *also, *installed()]
    if name in known:
        return ""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return (
        f"expected one of {', '.join(known)}, or package.module:function (docs/plug-ins.md), "
        f"given {name!r}{hint}"
    )


def _unknown_rival(name: str) -> str:
    preset = name.removeprefix(RIVAL)
    if preset in RIVALS:
        return ""
    offered = ", ".join(RIVAL + each for each in RIVALS)
    if NOT_FREE.fullmatch(preset):
        return f"{name} is under a non-commercial licence and is not offered; {offered} are"
    near = difflib.get_close_matches(preset, RIVALS, n=1)
    hint = f"; did you mean {RIVAL}{near[0]}?" if near else ""
    return f"expected one of {offered}, given {name!r}{hint}"


def installed() -> list[str]:
    """Returns the names of the entry points that installed packages have."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def is_plug_in(name: str) -> bool:
    """Returns True for names that are not the workbench's own."""
    return name not in BASELINES
