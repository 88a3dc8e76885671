"""ETAS, the standard forecaster of earthquakes, fitted by maximum likelihood.

The process is that of `smash.simulate.etas_process`; its background is given, or fitted in turn
with the parameters (`smash.baselines.etas_background`).
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from smash.baselines.etas_background import Background, Declustered
from smash.baselines.etas_climb import Climb, EtasFit, EtasSettings, bounds, starts
from smash.baselines.etas_likelihood import EtasLikelihood
from smash.data.events import EventSequences, Targets
from smash.data.region import Region
from smash.data.resolution import NO_CELLS, GapCells, tie_cells
from smash.errors import DataError, TrainingError
from smash.law.clocked_times import clocked
from smash.law.draws import numpy_generator
from smash.law.fixed_marks import FixedMarks, training_shares
from smash.law.forecaster import Forecaster
from smash.law.magnitudes import GutenbergRichter
from smash.law.next_event_law import NextEventLaw, PlacePart
from smash.law.paths import MOST_EVENTS, Paths, check_total, sorted_paths
from smash.law.place_densities import PlaceDensity
from smash.law.roll_out import OnProgress
from smash.law.state import State
from smash.simulate.etas_law import EtasLaws, EtasTimes
from smash.simulate.etas_simulation import EtasProcess, Shaken
from smash.simulate.etas_state import EtasState

Floats = NDArray[np.float64]

_DEFAULTS = EtasSettings()
BEYOND = 10.0
"""The law of Omori and Utsu holds in forecasts up to so many times what the fit has seen."""


@dataclass(frozen=True)
class Etas(Forecaster):
    """A fitted ETAS process; its law of the next event is exact.

    Magnitudes follow Gutenberg and Richter; `mark_probability` (K,), the shares of the marks, is
    independent of all else. Where training data have ties, `cells` are those of the clock that
    made them.
    """

    process: EtasProcess
    fit: EtasFit
    mark_probability: Floats | None = None
    cells: GapCells = NO_CELLS

    @property
    def n_marks(self) -> int:
        return 1 if self.mark_probability is None else len(self.mark_probability)

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        check_magnitudes(sequences)
        for targets, times, places in self._laws.of_targets(sequences):
            yield targets, self._law(times, places)

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        check_magnitudes(histories)
        return self._law(*self._laws.after(histories))

    def start(self, history: EventSequences, n_paths: int) -> State:
        check_magnitudes(history)
        return EtasState(self._laws, history, n_paths, self._law)

    def simulate(
        self,
        history: EventSequences,
        now: float,
        horizon: float,
        n_paths: int,
        generator: torch.Generator,
        max_events: int = MOST_EVENTS,
        on_progress: OnProgress = lambda share: None,
    ) -> Paths:
        """Returns futures as `Forecaster.simulate`, all at once, generation by generation."""
        check_magnitudes(history)
        assert history.magnitude is not None
        numbers, n_known = numpy_generator(generator), history.n_events
        known = Shaken(
            np.zeros(n_known, np.int64), history.time, history.location, history.magnitude
        )
        drawn = self.process.futures(known, now, now + horizon, n_paths, numbers, max_events)
        check_total(len(drawn), n_paths)
        share, mark = self.mark_probability, None
        if share is not None:
            mark = numbers.choice(len(share), size=len(drawn), p=share / share.sum())
        on_progress(1.0)
        events = drawn.path, drawn.time, drawn.location, mark, drawn.magnitude
        return sorted_paths(n_paths, now, horizon, *events)

    def branching_ratio(self) -> tuple[float, float]:
        """Returns the mean number of events that one sets off, ever and within the fit's span."""
        o, b = self.process.parameters, self.process.magnitudes.b
        return o.branching_ratio(b), o.branching_ratio(b, self.fit.span)

    def description(self) -> dict[str, Any]:
        """Returns the parameters with their 95 % intervals and what they say, ready for JSON."""
        ever, within = self.branching_ratio()
        found = asdict(self.fit.parameters)
        return {
            "parameters": found,
            "intervals": {name: list(ends) for name, ends in self.fit.intervals().items()},
            "b": self.process.magnitudes.b,
            "b_error": self.process.magnitudes.error,
            "branching_ratio": ever if np.isfinite(ever) else None,
            "branching_ratio_within_span": within,
            "span": self.fit.span,
            "stationary": ever < 1,
            "log_likelihood": self.fit.log_likelihood,
            "n_events": self.fit.n_events,
            "rounds": self.fit.rounds,
        }

    @cached_property
    def _laws(self) -> EtasLaws:
        return EtasLaws(self.process, BEYOND * self.fit.span)

    def _law(self, times: EtasTimes, places: PlacePart) -> NextEventLaw:
        marks = FixedMarks.of(self.mark_probability, len(times))
        return NextEventLaw(clocked(times, self.cells), places, marks, self.process.magnitudes)


def check_magnitudes(sequences: EventSequences) -> None:
    """Checks that events have magnitudes; a DataError says what to do."""
    if sequences.magnitude is None:
        raise DataError(
            f"{sequences.name}: ETAS needs the magnitude of each event and these have none; name "
            "its column (columns.magnitude), or leave etas out of baselines"
        )


def fit_etas(
    train: EventSequences,
    n_marks: int = 1,
    settings: EtasSettings = _DEFAULTS,
    region: Region | None = None,
    background: PlaceDensity | None = None,
    completeness: float | None = None,
) -> Etas:
    """Returns the ETAS process under which the targets of `train` are likeliest.

    Args:
        train: events with magnitudes; those before its targets set off others and are not scored.
        n_marks: K.
        settings: how it is fitted.
        region: where events are looked for; the whole plane by default.
        background: the density b, where it is known; by default it is fitted.
        completeness: m₀; by default the least magnitude.

    Raises:
        DataError: when there are no magnitudes, one lies below m₀, or no target is in the region.
        TrainingError: when the likelihood is not finite or does not settle, or the process is
            explosive.
    """
    check_magnitudes(train)
    assert train.magnitude is not None
    reference = float(train.magnitude.min()) if completeness is None else completeness
    _check(train, reference, region)
    targets = train.targets()
    assert targets.magnitude is not None
    nodes = None if region is None else region.rays(train.location)
    likelihood = EtasLikelihood(train, reference, nodes)
    known = (
        Declustered.start(targets.location, settings.neighbours, region)
        if background is None
        else Background.given(background, targets.location)
    )
    fit = Climb(likelihood, known, settings, bounds(train)).fit(starts(train, reference))
    magnitudes = GutenbergRichter.fit(targets.magnitude, reference)
    process = EtasProcess(fit.parameters, known.density, magnitudes, region)
    etas = Etas(process, fit, training_shares(train, n_marks), tie_cells(targets.gap))
    within = etas.branching_ratio()[1]
    if within >= 1 and not settings.explosive:
        raise TrainingError(
            f"ETAS: explosive: within {fit.span:.4g} units of time each event sets off "
            f"{within:.3g} others in the mean, so that they multiply without end; look for a swarm "
            "at the end of the training data, take a higher magnitude threshold, or leave etas out "
            "of baselines"
        )
    return etas


def _check(train: EventSequences, reference: float, region: Region | None) -> None:
    assert train.magnitude is not None
    if (below := train.magnitude < reference - 1e-9).any():
        row = int(np.argmax(below))
        raise DataError(
            f"{train.name}, event row {row}: magnitude {train.magnitude[row]:g} lies below "
            f"{reference:g}, from which on ETAS is fitted; drop smaller events, or lower it"
        )
    if region is None:
        return
    inside = region.holds(train.location[train.is_target])
    if not inside.all():
        what = "none" if not inside.any() else f"{inside.sum()}"
        raise DataError(
            f"{train.name}: {what} of {len(inside)} events lie within the region; give the region "
            "in the units of the places, and only events within it"
        )
