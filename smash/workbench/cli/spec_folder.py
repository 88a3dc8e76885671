"""The folder that `smash data check` and `smash data resplit` write: events.parquet, spec.yaml."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

EVENTS, SPEC = "events.parquet", "spec.yaml"


def check_spec_folder(folder: Path, inputs: Iterable[Path]) -> None:
    """Checks that nothing is lost in the folder but what an earlier check has written there.

    Raises:
        OutputError: when it is no folder, holds what was read, or other events or another spec.
    """
    from smash.data.suggestion import is_as_written
    from smash.errors import OutputError
    from smash.outputs import check_files, check_folder

    events, spec = folder / EVENTS, folder / SPEC
    check_folder("--out", folder)
    check_files({"--out (events)": events, "--out (spec)": spec}, inputs)
    there = [path.name for path in (spec, events) if path.exists()]
    if there and not (spec.exists() and is_as_written(spec.read_text("utf-8", "replace"))):
        raise OutputError(
            f"--out {folder}: holds {there[0]}, which no check has written or which was changed "
            "since, and which would be lost; name another folder, or move it away"
        )


def write_spec_folder(folder: Path, events: Any, tally: Any, text: str) -> None:
    """Writes a frame of events, a row an event and window, with its tally, and a spec's text.

    Both files are moved in once all is well; whatever else lies in the folder stays.
    """
    from smash.data.tally import write_windows
    from smash.files import replacing

    with replacing(folder / SPEC) as spec, replacing(folder / EVENTS) as written:
        write_windows(events, tally, written)
        spec.write_text(text, encoding="utf-8")
