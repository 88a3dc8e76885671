"""Searches better hyperparameters: runs a study of many trials and writes the best spec."""

import os
import re
import sys
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import typer

from smash.shipped_files import shipped_root
from smash.workbench.cli.hints import hints_shown
from smash.workbench.runs.signals import Interruption, heeded

# Threads that spin while they wait stall each other on a busy machine (12 x slower was seen);
# read by OpenMP when PyTorch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

STUDIES = shipped_root() / "studies"
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="The data set: takes studies/NAME.yaml.")
    ] = None,
    study: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Any other study spec.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Set a key of the study or its experiment, or space.KEY; repeatable.",
        ),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Trials in all, those done included.")] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="2h|90m|600s", help="Start no trial after this time.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Trials at once; 1, or with Ray as many as fit.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="sqlite:///FILE (studies.db) or postgresql://..."),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Processes of this machine, or Ray tasks.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster to join; by default one is started here.")
    ] = None,
) -> None:
    """Search the space of a study; the same command goes on with a study that was stopped.

    Example: smash tune --dataset crime --trials 4 --set epochs=2
    """
    # Imported here so that --help and wrong flags answer at once.
    from smash.errors import SmashError, in_a_line

    interruption = Interruption(*heeded())
    try:
        with interruption.heard():
            with interruption.checked():
                changes = list(overrides or [])
                changes += [] if trials is None else [f"budget.trials={trials}"]
                changes += [] if timeout is None else [f"budget.hours={_hours(timeout)}"]
                from smash.workbench.search.study_spec import load_search

                with hints_shown():
                    search = load_search(_find_study(dataset, study), changes)
                from smash.workbench.search.search import Options, run_search
            run_search(search, Options(jobs, storage, engine, address), interruption)
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(interruption.code if interruption.asked else 2)
    except KeyboardInterrupt as stopped:
        with suppress(OSError):  # the terminal may be gone
            typer.echo(str(stopped) or "interrupted", err=True)
        sys.exit(interruption.code)


def _find_study(dataset: str | None, study: Path | None) -> Path:
    from smash.errors import SpecError

    if (dataset is None) == (study is None):
        raise SpecError("name either --dataset, such as simulated, or --study FILE")
    if study is not None:
        return study
    known = sorted(path.stem for path in STUDIES.glob("*.yaml"))
    if dataset not in known:
        nearest = get_close_matches(str(dataset), known, 1)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise SpecError(
            f"--dataset {dataset}: there is no study of it; {hint}Known are {', '.join(known)}; "
            "for own data give --study FILE"
        )
    return STUDIES / f"{dataset}.yaml"


def _hours(text: str) -> float:
    from smash.errors import SpecError

    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not match:
        raise SpecError(f"--timeout {text}: expected a number with a unit, as 600s, 90m or 2h")
    return float(match[1]) / {"s": 3600, "m": 60, "h": 1}[match[2]]
