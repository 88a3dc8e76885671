#!/usr/bin/env python
"""Runs an experiment spec: trains, samples, scores, and logs everything to MLflow."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

# Threads that spin while they wait stall each other on a busy machine (12 x slower was seen);
# read by OpenMP when PyTorch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    spec: Annotated[
        Path | None,
        typer.Argument(
            help="The spec, such as experiments/football.yaml, or a kept model's folder."
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the spec; repeatable."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The seed, instead of the spec's.")] = None,
    stage: Annotated[
        Literal["train", "test", "time", "baselines", "all"],
        typer.Option(help="What to do; `all` is train, then test; `baselines` trains no model."),
    ] = "all",
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN_ID|FOLDER|CHECKPOINT",
            help="A trained model to test or time: a run, a saved folder, or an original .pkl.",
        ),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN_ID", help="Go on with an interrupted run.")
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
) -> None:
    """Train, test or time what SPEC describes, and log it to MLflow (see it with `mlflow ui`)."""
    # Imported here so that --help and wrong flags answer at once.
    from experiments.spec import load_spec
    from smash.errors import SmashError, SpecError

    if spec is not None and spec.is_dir():
        from experiments.sources import SPEC_ARTIFACT

        spec, source = spec / SPEC_ARTIFACT, source or str(spec)
    changes = list(overrides or [])
    changes += [] if seed is None else [f"seed={seed}", "seeds=[]"]
    changes += [] if device is None else [f"device={device}"]
    try:
        if resume:
            if spec or changes or source or profile != "full":
                raise SpecError(
                    "--resume goes on with the run's own spec; leave out all but --stage, --summary"
                )
            from experiments.sources import fetch_spec

            loaded = fetch_spec(resume)
        elif spec is None:
            raise SpecError("name a spec, such as experiments/simulated.yaml, or --resume RUN_ID")
        else:
            loaded = load_spec(spec, changes)
        from experiments.interruption import dropped_ones_again
        from experiments.outcomes import Request, report_outcomes
        from experiments.runner import run_experiment

        request = Request(stage, source, resume, profile, summary, register)
        with dropped_ones_again():
            outcomes = run_experiment(loaded, request)
            report_outcomes(loaded, outcomes)
            if report:
                from reports.making import report_on

                typer.echo(report_on(outcomes[0].run_id).html)
    except SmashError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)


if __name__ == "__main__":
    app()
