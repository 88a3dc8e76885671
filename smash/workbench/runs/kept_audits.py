"""Audits kept in the user's cache folder: of the same data every run would work out the same."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from smash.errors import SmashError
from smash.files import make_folder, write_json
from smash.workbench.runs.cache_keys import place_of, reused

KIND = "audits"
MOST = 256
"""Audits kept at a time, some kB each; the oldest make room."""


def kept_audit(work_out: Callable[[], Any], *made_of: Any) -> Any:
    """Returns what `work_out` gives, as JSON has it: the kept one where it was worked out before.

    `made_of`: all that it depends on, as `smash.workbench.runs.cache_keys.place_of` takes it. What
    is damaged is worked out anew; where nothing can be kept, nothing is.
    """
    if not reused():
        return _as_json(work_out())
    place = place_of(KIND, *made_of).with_suffix(".json")
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads(place.read_text(encoding="utf-8"))
        if told["name"] == place.name:
            return told["audit"]
    found = _as_json(work_out())
    with suppress(SmashError, OSError):
        make_folder(place.parent)
        write_json(place, {"name": place.name, "audit": found})
        kept = sorted(place.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for oldest in kept[:-MOST]:
            oldest.unlink()
    return found


def _as_json(found: Any) -> Any:
    return json.loads(json.dumps(found))
