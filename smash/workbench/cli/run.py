"""Runs an experiment spec: trains, samples, scores, and logs everything to MLflow."""

import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from smash.shipped_files import find_spec
from smash.workbench.cli.hints import hints_shown
from smash.workbench.runs.signals import Interruption, heeded

if TYPE_CHECKING:
    from smash.workbench.runs.outcomes import Profile, Request, Stage
    from smash.workbench.specs.experiment_spec import ExperimentSpec

# Threads that spin while they wait stall each other on a busy machine (12 x slower was seen);
# read by OpenMP when PyTorch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the spec; repeatable."),
]
Baselines = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="One more baseline; own ones as package.module:function; repeatable."
    ),
]


@app.command()
def main(
    spec: Annotated[
        Path | None,
        typer.Argument(
            help="The spec: a file, a name such as football, a kept model (pretrained:football)."
        ),
    ] = None,
    overrides: Overrides = None,
    baseline: Baselines = None,
    seed: Annotated[int | None, typer.Option(help="The seed, instead of the spec's.")] = None,
    stage: Annotated[
        Literal["train", "test", "time", "baselines", "all"] | None,
        typer.Option(
            help="What to do; `all` (the default) is train, then test; `baselines` trains no model."
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN_ID|FOLDER|CHECKPOINT",
            help="A trained model to test or time: a run, a saved folder, or an original .pkl.",
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN_ID", help="Go on with an interrupted run, or run of seeds."),
    ] = None,
    profile: Annotated[
        Literal["full", "quick"],
        typer.Option(help="`quick`: 500 steps, 10 samples, 8 test sequences; to try things out."),
    ] = "full",
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N, instead of the spec's.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the test figures as JSON.")
    ] = None,
    register: Annotated[
        bool,
        typer.Option(
            "--register", help="Register the model; the best on validation data is the champion."
        ),
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Make a report of the run and keep it there.")
    ] = False,
    explain: Annotated[
        str | None,
        typer.Option(
            metavar="KEY|SECTION", help="Say what a key of specs, or a section of them, is."
        ),
    ] = None,
) -> None:
    """Train, test or time what SPEC describes, and log it to MLflow (see it with `mlflow ui`).

    Example: smash run football --profile quick --set epochs=3
    """
    # Imported here so that --help and wrong flags answer at once.
    from smash.errors import SmashError, in_a_line

    interruption = Interruption(*heeded())
    try:
        if explain is not None:
            return typer.echo(_explanation(explain))
        with hints_shown():
            loaded, request = _read(
                spec, overrides or [], baseline or [], seed, stage, source, resume, profile, device
            )
        from smash.workbench.runs.outcomes import report_outcomes
        from smash.workbench.runs.runner import run_experiment

        request = replace(request, summary=summary, register=register)
        with interruption.heard(), interruption.checked():
            outcomes = run_experiment(loaded, request)
            report_outcomes(loaded, outcomes)
            _describe(outcomes[0].run_id)
            if report:
                from smash.workbench.report.production import report_on

                typer.echo(report_on(outcomes[0].run_id).html)
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone
            typer.echo("interrupted", err=True)
        sys.exit(interruption.code)


def _describe(run_id: str) -> None:
    """Writes verdict and main figures into the run's description; the run stands without them."""
    from smash.errors import TrackingError
    from smash.workbench.report.run_note import describe
    from smash.workbench.runs import console

    try:
        describe(run_id)
    except TrackingError as error:
        console.warn(str(error))


def _explanation(key: str) -> str:
    from smash.workbench.specs import meanings
    from smash.workbench.specs.experiment_spec import ExperimentSpec

    return meanings.explanation(key, ExperimentSpec)


def _read(
    spec: Path | None,
    overrides: list[str],
    baselines: list[str],
    seed: int | None,
    stage: "Stage | None",
    source: str | None,
    resume: str | None,
    profile: "Profile",
    device: str | None,
) -> "tuple[ExperimentSpec, Request]":
    """Returns the spec that is meant and what is asked of it."""
    from smash.errors import SpecError
    from smash.workbench.runs.outcomes import Request
    from smash.workbench.specs.experiment_spec import load_spec

    changes = list(overrides)
    changes += [] if seed is None else [f"seed={seed}", "seeds=[]"]
    changes += [] if device is None else [f"device={device}"]
    asked, spec = spec, None if spec is None else find_spec(spec)
    if spec is not None and spec.is_dir():
        from smash.workbench.runs.sources import SPEC_ARTIFACT

        spec, source = spec / SPEC_ARTIFACT, source or str(asked)
    if resume:
        if spec or changes or baselines or source or profile != "full":
            raise SpecError(
                "--resume goes on with the run's own spec; leave out all but --stage, --summary"
            )
        from smash.workbench.runs.resumption import spec_to_resume, stage_of

        return spec_to_resume(resume), Request(stage or stage_of(resume), resume=resume)
    if spec is None:
        raise SpecError("name a spec, such as experiments/simulated.yaml, or --resume RUN_ID")
    request = Request(stage or "all", source, None, profile, read=(spec,))
    loaded = load_spec(spec, changes)
    if baselines:
        every = list(dict.fromkeys([*loaded.baselines, *baselines]))
        loaded = load_spec(spec, [*changes, f"baselines={json.dumps(every)}"])
    return loaded, request


def baselines(
    spec: Annotated[Path, typer.Argument(help="A spec, such as football or my/spec.yaml.")],
    overrides: Overrides = None,
    baseline: Baselines = None,
) -> None:
    """Fit and test the spec's baselines alone, without the model.

    Example: smash baselines football --set baselines=[climatology,markov]
    """
    main(spec=spec, overrides=overrides, baseline=baseline, stage="baselines")
