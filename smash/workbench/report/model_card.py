"""What a model is, what it was trained on, and where it may not be trusted."""

from collections.abc import Iterator, Mapping
from typing import Any

from smash.workbench.report.display_tables import Column, Row, Table
from smash.workbench.report.forecaster_names import model_name
from smash.workbench.report.labels import FIGURES, SKILLS
from smash.workbench.report.logged_comparison import Comparison
from smash.workbench.report.logged_run import Run
from smash.workbench.report.run_groups import DataSet, settings_of
from smash.workbench.report.run_store import Store
from smash.workbench.runs.sources import MODEL_ARTIFACT
from smash.workbench.specs.experiment_spec import ExperimentSpec, flatten

DESCRIPTION = f"{MODEL_ARTIFACT}/model.json"
BESIDES = ("data.", "scaling.", "model.", "objective.", "training.")
"""What a training is of; only settings that were changed are told."""
SPLITS = ("train", "validation", "test")


def model_card(store: Store, data: DataSet, comparisons: Mapping[str, Comparison]) -> Table | None:
    """Returns the card of a data set's best model, None where none was tested or it is not kept."""
    if not data.models or not (description := store.json(run := data.models[0].first, DESCRIPTION)):
        return None
    try:
        told = list(_told(run, description, comparisons.get(run.run_id)))
    except (KeyError, TypeError, ValueError, AttributeError):  # of another version
        return None
    return Table(
        f"{data.key}-card",
        f"The model of the run {run.name} on {data.name}.",
        [Column("what", "what"), Column("value", "value")],
        [Row({"what": what, "value": value}) for what, value in told],
    )


def _told(
    run: Run, description: Mapping[str, Any], comparison: Comparison | None
) -> Iterator[tuple[str, str]]:
    about, tags = description["about"], run.tags
    yield "model", model_name(settings_of(run))
    names = about["mark_names"]
    place = f", its place in {about['location_unit']}" if about["location_names"] else ""
    mark = f", its mark ({', '.join(map(str, names))})" if names else ""
    yield "forecasts", f"the next event and futures: its time in {about['time_unit']}{place}{mark}"
    yield "data", f"{about['dataset']}, SHA-256 {about['digest'][:16]}…"
    yield "splits", "; ".join(split_sizes(tags))
    yield "training", f"protocol {run.protocol}, seed {run.params.get('seed')}" + _epoch(run)
    yield "settings other than the defaults", ", ".join(changed_settings(run.params))
    found = comparison.skill if comparison else {}
    recalibrated = {k: v for k, v in run.metrics.items() if k.startswith("test_recalibrated/")}
    for limit in limits(description, run.figures | recalibrated, found):
        yield "limit", limit
    yield "use", f"smash forecast runs/{run.run_id}/{MODEL_ARTIFACT} history.csv"
    yield "load", f'mlflow.pyfunc.load_model("runs:/{run.run_id}/model")'


def _epoch(run: Run) -> str:
    best = run.metrics.get("best/epoch")
    return (
        "" if best is None else f", epoch {best:.0f} of {run.params.get('training.total_epochs')}"
    )


def split_sizes(tags: Mapping[str, str]) -> Iterator[str]:
    """Yields how many events and sequences each split has, such as a run was tagged with."""
    for split in SPLITS:
        if events := tags.get(f"data/{split}_events"):
            yield f"{split}: {events} events in {tags[f'data/{split}_sequences']} sequences"


def changed_settings(settings: Mapping[str, str]) -> list[str]:
    """Returns the settings of data, model and training that are not the defaults, `key=value`."""
    usual = flatten(ExperimentSpec())
    return [f"{k}={v}" for k, v in settings.items() if k.startswith(BESIDES) and v != usual.get(k)]


def limits(
    description: Mapping[str, Any], figures: Mapping[str, float], skill: Mapping[str, Any]
) -> Iterator[str]:
    """Yields in words where a model may not be trusted.

    Args:
        description: the saved model's `model.json`.
        figures: test figures; those after recalibration begin with `test_recalibrated/`.
        skill: by part, with its interval (`Comparison.skill`).
    """
    scaler, names = description["scaler"], description["about"]["location_names"]
    if names:
        ends = zip(names, scaler["location_low"], scaler["location_high"], strict=True)
        box = " and ".join(f"{name} {low:g} to {high:g}" for name, low, high in ends)
        box = box.replace("-", "−")
        yield f"Trained on places of {box}; beyond them it warns and extrapolates."
    context = description["settings"]["max_context"]
    yield f"It sees the last {context} events of a history, of the marks above."
    for part, found in skill.items():
        if found.low is not None and found.low <= 0:
            score = FIGURES[SKILLS[part]].words
            yield (
                f"In {part} it cannot be told from climatology, or is worse: the interval of its "
                f"{score} skill does not lie above 0."
            )
    yield from _uncalibrated(figures)
    other = "places, times" if names else "times"
    yield f"Data of other {other} or ways of recording were never tried."


def _uncalibrated(figures: Mapping[str, float]) -> Iterator[str]:
    floor = figures.get("cs_floor")
    for part in ("time", "location"):
        cs, after = (figures.get(f"{stage}cs_{part}") for stage in ("", "test_recalibrated/"))
        if cs is not None and floor is not None and cs > 2 * floor:
            yield (
                f"Its CS of {part} is {100 * cs:.2g} %, that of a perfect forecaster about "
                f"{100 * floor:.2g} %: intervals of {part} do not hold what they say."
                + ("" if after is None else f" With recalibrated=True it is {100 * after:.2g} %.")
            )
