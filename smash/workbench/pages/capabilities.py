"""docs/forecasters.md: what each forecaster can do, found by asking it.

Each is fitted to a few simulated events, which carry magnitudes, and its law of the next event is
looked at: which parts have densities, which of them history changes, what it needs and gives.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch

from smash.baseline_names import BASELINES
from smash.baselines import MixtureSettings, fit_mixture
from smash.data.dataset import Dataset
from smash.data.events import EventSequences
from smash.data.protocol import prepare
from smash.data.scaling import fit_scaler
from smash.errors import SmashError
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.ensemble import Ensemble
from smash.law.forecaster import Forecaster
from smash.law.next_event_law import NextEventLaw
from smash.model.smash import Smash
from smash.settings import (
    DataSettings,
    ModelSettings,
    ObjectiveSettings,
    ScalingSettings,
    SimulatorSettings,
)
from smash.simulate.simulator import simulate_dataset
from smash.workbench.report.display_tables import Column, Row, Table, to_markdown
from smash.workbench.report.forecaster_names import model_name
from smash.workbench.runs.baseline_fits import fit_baseline
from smash.workbench.specs.experiment_spec import ExperimentSpec

Fit: TypeAlias = Callable[[Dataset], Forecaster]
SIMULATOR = SimulatorSettings(sequences=(20, 6, 6), events=(12, 20))
YES, NO, UNASKED = "yes", "–", "not seen: no density"
COLUMNS = {
    "forecaster": "forecaster",
    "time": "density of time",
    "mark": "of mark",
    "place": "of place",
    "history": "history changes",
    "place_by_mark": "place depends on mark",
    "magnitude": "magnitudes",
    "first": "first event",
    "state": "own state in futures",
    "unmarked": "without marks",
}
HEAD = """# What each forecaster can do

Made by `make pages`: each forecaster is fitted to a few simulated events and asked. All of them
give draws, futures (`simulate`), scores by draws and pools; what differs is below. Seahorse's
presets, plug-ins and what each baseline is: `docs/baselines.md`.
"""
NOTES = (
    "Density: its mean −log is scored and it can be recalibrated, pooled by log score and drawn as "
    "an intensity. History changes: the parts of the law that differ after different histories. "
    "Magnitudes: drawn with each event; needed: it refuses data without. First event: there is a "
    "law after an empty history. Own state: futures cost the same for each event, however long the "
    "history; the others ask for the law after all events anew. SMASH's place knows the mark with "
    "model.mark_in_location=true.",
)


def page() -> str:
    """Returns the page as Markdown."""
    data = with_magnitudes(simulate_dataset(SIMULATOR))
    rows = [Row({"forecaster": name} | asked(fit, data)) for name, fit in forecasters()]
    columns = [Column(key, heading) for key, heading in COLUMNS.items()]
    caption = "Forecasters and their laws of the next event."
    return f"{HEAD}\n{to_markdown(Table('forecasters', caption, columns, rows, NOTES))}"


def forecasters() -> Iterator[tuple[str, Fit]]:
    """Yields what each forecaster is called, and what fits it."""
    for objective, laws in (
        ("score_matching", {}),
        ("likelihood", {}),
        ("likelihood", {"location_law": "mixture"}),
        ("likelihood", {"location_law": "history"}),
        ("likelihood", {"location_law": "history", "magnitudes": True}),
        ("likelihood", {"location_law": "mixture", "time_law": "mixture"}),
    ):
        told = {
            "objective.kind": objective,
            "model.location_law": str(laws.get("location_law", "score")),
        }
        name = model_name(told) + (", mixture times" if "time_law" in laws else "")
        name += ", told magnitudes" if "magnitudes" in laws else ""
        yield name, _model(objective, laws)
    for baseline in BASELINES:
        yield baseline, _baseline(baseline)
    yield (
        "a pool of such",
        lambda data: Ensemble(
            (_baseline("climatology")(data), _baseline("hawkes")(data)), (0.5, 0.5)
        ),
    )


def asked(fit: Fit, data: Dataset) -> dict[str, str]:
    """Returns what a forecaster can do, by column."""
    forecaster = fit(data)
    law = forecaster.law_after(data.test.select([0, 1]))
    plain = _of_splits(data, lambda split: replace(split, magnitude=None))
    needs = not _works(lambda: fit(plain))
    return {
        "time": _told(not law.time.lacking),
        "mark": _told(not law.time.lacking and law.mark is not None),
        "place": _told(not law.place.lacking),
        "history": UNASKED if law.time.lacking else ", ".join(_changed(law)) or NO,
        "place_by_mark": _told(law.place.by_mark),
        "magnitude": ("drawn" + ", needed" * needs) if law.magnitude else NO,
        "first": _told(_works(lambda: forecaster.law_after(nothing(data.test)))),
        "state": _told(type(forecaster).start is not Forecaster.start),
        "unmarked": _told(_works(lambda: _law_without_marks(fit, data))),
    }


def _law_without_marks(fit: Fit, data: Dataset) -> NextEventLaw:
    unmarked = data.without_marks()
    return fit(unmarked).law_after(unmarked.test.select([0]))


def with_magnitudes(data: Dataset) -> Dataset:
    """Returns the data set whose events carry magnitudes of a Gutenberg-Richter law."""
    numbers = np.random.default_rng(0)

    def carrying(split: EventSequences) -> EventSequences:
        return replace(split, magnitude=1 + numbers.exponential(0.4, split.n_events))

    return _of_splits(data, carrying)


def _of_splits(data: Dataset, change: Callable[[EventSequences], EventSequences]) -> Dataset:
    return replace(
        data,
        train=change(data.train),
        validation=change(data.validation),
        test=change(data.test),
    )


def nothing(sequences: EventSequences) -> EventSequences:
    """Returns one history without events, in the window of the first sequence."""
    kept = sequences.magnitude
    return EventSequences(
        np.zeros(0),
        np.zeros((0, 2)),
        None if sequences.mark is None else np.zeros(0, dtype=np.int64),
        np.array([0, 0]),
        sequences.window[:1],
        magnitude=None if kept is None else np.zeros(0),
    )


def _changed(law: NextEventLaw) -> Iterator[str]:
    """Yields the parts with densities that differ after two histories, at gaps and places alike."""
    gap = np.tile(np.geomspace(0.01, 3, 20), (2, 1))
    place = np.tile(np.linspace(-1, 1, 20)[:, None], (2, 1, 2))
    mark = None if law.mark is None else np.zeros(gap.shape, dtype=np.int64)
    if not law.time.lacking:
        if _differ(law.time.log_density(gap)):
            yield "time"
        if law.mark is not None and _differ(law.mark.log_probability(gap)):
            yield "mark"
    if not law.place.lacking and _differ(law.place.log_density(place, gap, mark)):
        yield "place"


def _differ(values: np.ndarray) -> bool:
    return not np.allclose(values[0], values[1], atol=1e-9)


def _model(objective: str, laws: Mapping[str, Any]) -> Fit:
    def fit(data: Dataset) -> Forecaster:
        sizes = ModelSettings(cond_dim=8, num_units=8, n_layers=1, **laws)
        kind = ObjectiveSettings(kind=objective)  # type: ignore[arg-type]
        scaler = fit_scaler([data.train], ScalingSettings())
        torch.manual_seed(0)
        model = Smash.untrained(sizes, kind, data.train, scaler, data.n_marks)
        with torch.no_grad():  # untrained, some laws are the training data's own
            for weights in model.parameters():
                weights.add_(0.1 * torch.randn_like(weights))
        return ModelForecaster(model)

    return fit


def _baseline(name: str) -> Fit:
    spec = ExperimentSpec(data=DataSettings(name="simulated", simulator=SIMULATOR))

    def fit(data: Dataset) -> Forecaster:
        if "mixture" in name:  # as it is, with fewer steps
            few = MixtureSettings(units=8, components=2, epochs=1)
            generator = torch.Generator().manual_seed(0)
            return fit_mixture(
                data.train, data.validation, data.n_marks, data.time_unit, generator, few
            )
        return fit_baseline(name, spec, data, prepare(data, spec.protocol, spec.scaling), "cpu")

    return fit


def _works(what: Callable[[], object]) -> bool:
    try:
        what()
    except SmashError:
        return False
    return True


def _told(able: bool) -> str:
    return YES if able else NO
