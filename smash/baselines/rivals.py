"""Presets of Seahorse as forecasters: fitted by its own code, scored as all others are.

The package `seahorse-stpp` (extra `rivals`) trains a preset on training sequences, chooses the
epoch on validation data, and gives the cumulative hazard of the next event and the density of its
place in raw units (its `evaluation.v1` families). Presets know no marks. Where one needs more
events before a target than there are, the target has the law of climatology.
"""

import contextlib
import io
import os
import random
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from smash.baseline_names import RIVALS
from smash.baselines.climatology import Climatology
from smash.baselines.plug_ins import Fitting
from smash.baselines.rival_budget import ending_after
from smash.baselines.rival_places import RivalPlaces
from smash.baselines.rival_precision import in_double, with_tables
from smash.data.events import EventSequences, Targets
from smash.data.resolution import GapCells, spread_ties, tie_cells
from smash.errors import BaselineError
from smash.law.clocked_times import clocked
from smash.law.forecaster import Forecaster
from smash.law.hazard_table import HazardTable
from smash.law.joined_laws import joined_laws, slices_of
from smash.law.next_event_law import NextEventLaw

Floats = NDArray[np.float64]
Records = list[dict[str, Any]]

LEAST_BATCHES = 20
"""Batches of an epoch, where the data allow: small data sets make small batches."""
EVENTS = 2_000_000
"""Training events seen in all, about; a large data set makes fewer epochs than the preset's."""
FEWEST_EPOCHS = 5
POINTS = {"nsmpp": 48}
"""Gaps at which the cumulative hazard is asked for: few where it is a sum over a grid of places."""
MOST_POINTS = 400


@dataclass(frozen=True)
class Rival(Forecaster):
    """A trained preset; `adapter` answers for it, `fallback` where there is too little history.

    `at` (G,) are the gaps at which its hazard is tabulated, `cells` those of the clock.
    """

    name: str
    adapter: Any
    fallback: Climatology
    at: Floats
    cells: GapCells

    @property
    def n_marks(self) -> int:
        return 1

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        targets, before = sequences.targets(), sequences.n_history
        counts = np.maximum(sequences.lengths - before, 0)
        for number, rows in enumerate(slices_of(counts.tolist())):
            last = np.arange(counts[number]) + before[number] - 1
            early = int((last < self.adapter.min_history - 1).sum())
            if early:
                yield targets[slice(rows.start, rows.start + early)], self.fallback.law(early)
            if len(last) > early:
                own = self._law(sequences, number, last[early:])
                yield targets[slice(rows.start + early, rows.stop)], own

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        laws = [
            self.fallback.law(1)
            if length < self.adapter.min_history
            else self._law(histories, number, np.array([length - 1]))
            for number, length in enumerate(histories.lengths)
        ]
        return joined_laws(laws) if laws else self.fallback.law(0)

    def _law(self, sequences: EventSequences, number: int, last: NDArray[np.int64]) -> NextEventLaw:
        """Returns the laws after the events `last` (N,) of one sequence."""
        time, place = _since_start(spread_ties(sequences.select([number]), self.cells), 0)
        prepared = self.adapter.prepare(time, place)
        first = np.zeros_like(last)
        hazard = np.asarray(self.adapter.cum_hazard(prepared, first, last, self.at), np.float64)
        hazard = np.maximum.accumulate(hazard - hazard[:, :1], axis=1)
        times = clocked(HazardTable(*_without_never(self.at, hazard)), self.cells)
        return NextEventLaw(times, RivalPlaces(self.adapter, prepared, last, float(self.at[-1])))


def fit_rival(name: str, fitting: Fitting) -> Rival:
    """Returns the preset of a name such as `seahorse:rmtpp_gmm`, trained.

    Raises:
        BaselineError: when the extra is not installed, sequences are too short for the preset, or
            its training diverges.
    """
    preset = name.partition(":")[2]
    assert preset in RIVALS
    gaps = fitting.train.gap[fitting.train.is_target]
    cells = tie_cells(gaps)
    train, validation = (_records(part, cells) for part in (fitting.train, fitting.validation))
    with tempfile.TemporaryDirectory() as scratch, _quiet(), _kept_generators():
        adapter = _trained(name, preset, fitting, (train, validation), scratch)
    adapter = in_double(adapter)
    at = _points(gaps, POINTS.get(preset, MOST_POINTS))
    if preset == "auto_stpp":
        adapter = with_tables(adapter, float(at[-1]) + adapter.lookback * float(gaps.max()))
    rival = Rival(name, adapter, Climatology.fit(fitting.train.without_marks(), 1), at, cells)
    _check(rival, fitting.validation)
    return rival


def _trained(
    name: str, preset: str, fitting: Fitting, data: tuple[Records, Records], scratch: str
) -> Any:
    """Returns Seahorse's adapter of a preset that was trained to training and validation data."""
    try:
        from seahorse.config import STPPConfig
        from seahorse.evaluation.v1.run_eval import make_adapter
        from seahorse.runner import RunnerRegistry
    except ImportError as error:
        raise BaselineError(
            f"{name}: needs Seahorse ({error}); install it: pip install 'smash-workbench[rivals]'"
        ) from error
    config = STPPConfig.from_preset(preset)
    _size(config, fitting, scratch)
    runner = RunnerRegistry.create(config)
    callbacks = [] if fitting.budget is None else [ending_after(fitting.budget)]
    runner.fit(*data, None, extra_callbacks=callbacks)
    runner.model.eval()
    return make_adapter(runner, torch.device(config.training.device))


def _size(config: Any, fitting: Fitting, scratch: str) -> None:
    """Sets batches and epochs by the size of the data, the seed, the device and where it writes."""
    train = fitting.train
    config.data.seed = fitting.seed % 2**31
    config.training.device = "cuda" if fitting.device.startswith("cuda") else "cpu"
    config.logging.out_dir = scratch
    # A windowed preset counts windows, of which there are about as many as events.
    windowed = bool((config.data.adapter_kwargs or {}).get("training_view"))
    items = train.n_events if windowed else len(train)
    config.data.batch_size = int(np.clip(items // LEAST_BATCHES, 1, config.data.batch_size))
    epochs = int(np.clip(EVENTS // max(train.n_events, 1), FEWEST_EPOCHS, config.training.n_epochs))
    config.training.n_epochs = min(config.training.n_epochs, epochs)


def _without_never(at: Floats, hazard: Floats) -> tuple[Floats, Floats]:
    """Returns gaps and hazards (N, G + 1) beyond whose longest an event comes at last.

    A preset may hold that none ever comes; a draw of never has no score. What is left of its law
    beyond the table, where no data are, comes at a rate of at least one in the table's length.
    """
    beyond = (hazard[:, -1] - hazard[:, -2]) / (at[-1] - at[-2]) * at[-1]
    more = hazard[:, -1] + np.maximum(beyond, 1.0)
    return np.append(at, 2 * at[-1]), np.concatenate([hazard, more[:, None]], axis=1)


def _points(gaps: Floats, count: int) -> Floats:
    """Returns gaps from 0 on, close where gaps are short, far beyond the longest."""
    positive = gaps[gaps > 0]
    low, high = np.quantile(positive, 0.001) / 10, positive.max() * 10
    return np.concatenate([[0.0], np.geomspace(low, high, count)])


def _records(sequences: EventSequences, cells: GapCells) -> Records:
    apart = spread_ties(sequences, cells)
    every = (_since_start(apart, number) for number in range(len(apart)))
    return [{"times": time.tolist(), "locations": place.tolist()} for time, place in every]


def _since_start(sequences: EventSequences, number: int) -> tuple[Floats, Floats]:
    """Returns times (L,) since the window's start, and places, of one sequence."""
    rows = slice(sequences.offsets[number], sequences.offsets[number + 1])
    return sequences.relative_time[rows], sequences.location[rows]


def _check(rival: Rival, validation: EventSequences) -> None:
    """Checks that a trained preset has a density on a few validation sequences."""
    some = validation.select(range(min(3, len(validation)))).without_marks()
    event = rival.log_densities(some).event
    if event is None or np.isnan(event).any() or not np.isfinite(event).any():
        raise BaselineError(
            f"{rival.name}: its densities of validation events are no numbers, as after a training "
            "that diverged; leave it out of baselines"
        )


@contextlib.contextmanager
def _kept_generators() -> Iterator[None]:
    """Sets all global generators back to what they were: a preset's training seeds them."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    environment = os.environ.get("PL_GLOBAL_SEED")
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        os.environ.pop("PL_GLOBAL_SEED", None)
        if environment is not None:
            os.environ["PL_GLOBAL_SEED"] = environment


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps a preset's own progress off the terminal."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
