"""`smash data estimators DATASET`: what the estimators of CS say of known forecasters."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

Denoise = Literal["none", "tweedie", "posterior"]


def estimators(
    dataset: Annotated[str, typer.Argument(help="A data set's name, or a file of own events.")],
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="A saved model to audit beside."),
    ] = None,
    events: Annotated[int, typer.Option(min=1, help="Events a forecaster, about.")] = 1500,
    samples: Annotated[int, typer.Option(min=2, help="Samples an event.")] = 300,
    denoise: Annotated[
        Denoise, typer.Option(help="How the model's samples are denoised.")
    ] = "posterior",
    summary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the rows as JSON, as fractions.")
    ] = None,
) -> None:
    """Say what the published and the default estimators of CS give to known forecasters.

    A perfect forecaster (truth and samples drawn from the same training events), climatology and,
    with --from, a model on some of the test events; beside what chance alone gives.
    """
    # Imported here so that --help and wrong flags answer at once.
    from rich.console import Console

    from smash.errors import SmashError, in_a_line
    from smash.files import write_json
    from smash.outputs import check_files
    from smash.workbench.runs.estimator_audit import render

    try:
        own = Path(dataset) if Path(dataset).suffix else None
        check_files({"--summary": summary}, filter(None, (own, source)))
        rows = _rows(dataset, source, events, samples, denoise)
        if summary:
            write_json(summary, {"rows": rows})
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    Console(highlight=False).print(render(rows, f"{dataset}: CS (%) of known forecasters"))


def _rows(
    dataset: str, source: Path | None, events: int, samples: int, denoise: Denoise
) -> list[dict[str, Any]]:
    from smash.catalogue import load_dataset
    from smash.forecast.model_forecaster import ModelForecaster
    from smash.model.smash import Smash
    from smash.settings import DATASETS, DataSettings, SamplingSettings, ScoreSettings
    from smash.workbench.runs.estimator_audit import audited, forecast_table, some

    model = Smash.load(source) if source else None
    own = dataset.lower() not in DATASETS and Path(dataset).suffix
    data = load_dataset(DataSettings(path=dataset) if own else DataSettings(name=dataset))
    tables = {}
    if model:
        sampling = SamplingSettings(sampler="inverse_cdf", denoise=denoise)
        part = some(data.test, events)
        tables["model"] = forecast_table(ModelForecaster(model, sampling), part, samples)
    return audited(data, tables, events, samples, ScoreSettings().levels)
