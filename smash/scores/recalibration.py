r"""Recalibration: what to ask a finished forecast for, so that its levels are what they say.

Fitted on events that neither trained nor chose the model. Where those events' ranks are at most
p for a share R(p), an interval asked for at level p holds that share, so one that is to hold q is
asked for at R⁻¹(q) (V. Kuleshov, N. Fenner, S. Ermon, ICML 2018). As R never falls, isotonic
regression of the share on the level leaves it as it is: R is the ranks' empirical distribution.
Marks get a temperature (C. Guo et al., ICML 2017): p(k)^(1/T), normalised.
"""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from smash.data.events import Targets
from smash.errors import CheckpointError, DataError
from smash.files import write_json
from smash.law.samples import Samples
from smash.manifest import RECALIBRATION
from smash.scores import marks, proper
from smash.scores.summary import percent
from smash.settings import SamplingSettings
from smash.untrusted_files import read_json

Floats = NDArray[np.float64]

FORMAT = 1
KNOTS = np.linspace(0.0, 1.0, 201)
HOTTEST = 20.0
"""Temperatures are sought from 1 / HOTTEST to HOTTEST."""


@dataclass(frozen=True)
class Levels:
    """The nominal levels to ask for at the actual levels `KNOTS`: plain, and `conformal`."""

    asked: tuple[float, ...]
    conformal: tuple[float, ...]

    @classmethod
    def fit(cls, ranks: Floats) -> "Levels":
        """Returns the levels for forecasts under which the truths' ranks were `ranks` (N,)."""
        ordered = np.sort(ranks)
        asked = np.quantile(ordered, KNOTS, method="weibull")
        asked[[0, -1]] = 0.0, 1.0
        place = np.ceil((len(ordered) + 1) * KNOTS - 1e-9).astype(np.int64)
        conformal = np.append(ordered, 1.0)[np.clip(place - 1, 0, len(ordered))]
        return cls(tuple(asked.tolist()), tuple(conformal.tolist()))

    @classmethod
    def read(cls, content: Any) -> "Levels":
        """Returns the levels of a mapping with `asked` and `conformal`.

        Raises:
            KeyError, TypeError, ValueError: when it is none.
        """
        return cls(_level_list(content["asked"]), _level_list(content["conformal"]))

    def ask(self, level: float, conformal: bool) -> float:
        """Returns the level to ask for; between knots the conformal one is the higher knot's."""
        if conformal:
            return self.conformal[int(np.searchsorted(KNOTS, level - 1e-9))]
        return float(np.interp(level, KNOTS, self.asked))

    def actual(self, nominal: Floats) -> Floats:
        """Returns the actual levels (...) of nominal ones (...)."""
        return np.interp(nominal, self.asked, KNOTS)


@dataclass(frozen=True)
class Recalibration:
    """Maps from nominal to actual levels of time and region, and a temperature for marks.

    With `conformal=True` an interval or region holds at least its level of new events, on average
    over recalibration and new events, whatever the forecast (V. Vovk et al., Algorithmic Learning
    in a Random World, 2005). That guarantee needs the new event to be exchangeable with the
    `n_events` it was fitted on. Drift breaks it, and so, in part, do events of one sequence being
    alike: where the data audit shows drift between splits, take it as no more than a correction.

    `temperature` is None for unmarked forecasts, `region` for events without places. `drawn_by`
    says how the samples were drawn (`way_of`): other draws of the same model need another
    recalibration.
    """

    time: Levels
    region: Levels | None
    temperature: float | None
    n_events: int
    n_groups: int
    drawn_by: str = ""

    @classmethod
    def fit(
        cls, table: pd.DataFrame, mark_probability: Floats | None = None, drawn_by: str = ""
    ) -> "Recalibration":
        """Returns what a table of scored events says; of overlapping windows each event once.

        Args:
            table: scored events (`smash.scores.event_scores`) with `pit_time` and, of events with
                places, `region_level`.
            mark_probability: (N, K) the mean mark probabilities of the table's rows.
            drawn_by: how the samples were drawn.

        Raises:
            DataError: when the table has no rows.
        """
        if len(table) == 0:
            raise DataError("recalibration: no event to fit it on; give longer validation data")
        once = ~table["repeat"].to_numpy() if "repeat" in table else np.ones(len(table), bool)
        temperature = None
        if mark_probability is not None and "mark" in table:
            temperature = _temperature(mark_probability[once], table["mark"].to_numpy()[once])
        return cls(
            Levels.fit(table["pit_time"].to_numpy()[once]),
            Levels.fit(table["region_level"].to_numpy()[once]) if "region_level" in table else None,
            temperature,
            int(once.sum()),
            int(table["group"].nunique()) if "group" in table else int(once.sum()),
            drawn_by,
        )

    def time_level(self, level: float, conformal: bool = False) -> float:
        """Returns the level to ask an interval of time for, so that it holds `level` of events."""
        return self.time.ask(level, conformal)

    def region_level(self, level: float, conformal: bool = False) -> float:
        """Returns the level to ask a region for, so that it holds `level` of events."""
        return level if self.region is None else self.region.ask(level, conformal)

    def mark_probability(self, probability: Floats) -> Floats:
        """Returns mark probabilities (..., K) at the fitted temperature; their order stays."""
        return probability if self.temperature is None else _heated(probability, self.temperature)

    def gap_draws(self, gap: Floats) -> Floats:
        """Returns draws (N, S) of the recalibrated law of the gap, in the order of `gap`.

        A row's s-th smallest stands for the level (s - ½) / S and is moved to what was asked for
        there.
        """
        order, n = np.argsort(gap, axis=1), gap.shape[1]
        ordered = np.take_along_axis(gap, order, axis=1)
        place = n * np.interp((np.arange(n) + 0.5) / n, KNOTS, self.time.asked) - 0.5
        place = np.clip(place, 0, n - 1)
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, n - 1)
        moved = ordered[:, below] + (place - below) * (ordered[:, above] - ordered[:, below])
        drawn = np.empty_like(ordered)
        np.put_along_axis(drawn, order, moved, axis=1)
        return drawn

    def corrected(self, samples: Samples) -> Samples:
        """Returns samples with recalibrated gaps and mark probabilities; locations stay.

        Regions are corrected by the level that is asked for (`region_level`).
        """
        probability = samples.mark_probability
        return replace(
            samples,
            gap=self.gap_draws(samples.gap),
            mark_probability=None if probability is None else self.mark_probability(probability),
        )

    def to_json(self) -> dict[str, Any]:
        """Returns plain numbers and lists, `knots` being the actual levels of the others."""
        return {"format": FORMAT, "knots": KNOTS.tolist(), **asdict(self)}

    @classmethod
    def from_json(cls, content: Any) -> "Recalibration":
        """Returns the recalibration that `to_json` gave.

        Raises:
            CheckpointError: when it is none.
        """
        try:
            if content["format"] != FORMAT:
                raise ValueError(f"format {content['format']!r:.40}")
            heat, region = content["temperature"], content["region"]
            return cls(
                Levels.read(content["time"]),
                None if region is None else Levels.read(region),
                None if heat is None else _heat(heat),
                _count(content["n_events"]),
                _count(content["n_groups"]),
                _text(content["drawn_by"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"not a recalibration of format {FORMAT} ({error})") from error

    def save(self, folder: Path) -> Path:
        """Returns the file written into a model's folder."""
        write_json(folder / RECALIBRATION, self.to_json())
        return folder / RECALIBRATION

    @classmethod
    def load(cls, folder: Path) -> "Recalibration | None":
        """Returns the recalibration saved beside a model, None where there is none.

        Raises:
            CheckpointError: when the file is damaged.
        """
        path = folder / RECALIBRATION
        if not os.path.lexists(path):
            return None
        content = read_json(path)
        try:
            return cls.from_json(content)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}; remove the file or test again") from error


def way_of(sampling: SamplingSettings) -> str:
    """Returns in a word or two how samples are drawn, as far as their law depends on it."""
    return f"{sampling.sampler}, {sampling.denoise}"


def recalibrated_scores(
    recalibration: Recalibration, samples: Samples, targets: Targets
) -> pd.DataFrame:
    """Returns the columns of scored events that recalibrated samples change, a row an event.

    Of time and mark alone: levels map through `recalibrated_table`, and locations stay.
    """
    corrected, mark = recalibration.corrected(samples), targets.mark
    gap, probability = corrected.gap, corrected.mark_probability
    columns: dict[str, Any] = {
        "error_time": np.abs(gap.mean(axis=1) - targets.gap),
        "error_time_median": np.abs(np.median(gap, axis=1) - targets.gap),
        "crps_time": proper.fair_crps(gap, targets.gap),
    }
    if probability is not None and mark is not None:
        columns |= {
            "mark_predicted": probability.argmax(axis=1),
            "mark_confidence": probability.max(axis=1),
            "mark_log_loss": marks.log_loss(probability, mark),
            "mark_brier": marks.brier_score(probability, mark),
        }
    return pd.DataFrame(columns)


def recalibrated_table(
    recalibration: Recalibration, table: pd.DataFrame, changed: pd.DataFrame
) -> pd.DataFrame:
    """Returns a table of scored events after recalibration, with what it says something of.

    `changed` has the rows of `recalibrated_scores`, in the order of `table`.
    """
    kept = ["sequence", "event", "group", "repeat", "n_samples", "gap", "x", "y", "mark"]
    levels = {"pit_time": recalibration.time.actual(table["pit_time"].to_numpy())}
    if recalibration.region is not None:
        region = table["region_level"].to_numpy()
        levels["region_level"] = recalibration.region.actual(region)
    rest = {str(name): changed[name].to_numpy() for name in changed}
    return table[[name for name in kept if name in table]].assign(**levels, **rest)


def conformal_coverage(
    recalibration: Recalibration, table: pd.DataFrame, levels: Sequence[float]
) -> dict[str, float]:
    """Returns the shares of scored events that conformal intervals and regions hold, by name."""
    asked = {"time": (recalibration.time_level, table["pit_time"])}
    if recalibration.region is not None:
        asked["location"] = recalibration.region_level, table["region_level"]
    return {
        f"coverage_{what}_{percent(level)}_conformal": float((ranks <= ask(level, True)).mean())
        for what, (ask, ranks) in asked.items()
        for level in levels
    }


def _temperature(probability: Floats, mark: NDArray[np.int64]) -> float:
    """Returns the temperature with the least log loss."""
    limit = np.log(HOTTEST)
    found = minimize_scalar(
        lambda log: marks.log_loss(_heated(probability, np.exp(log)), mark).mean(),
        bounds=(-limit, limit),
        method="bounded",
    )
    return float(np.exp(found.x))


def _heated(probability: Floats, temperature: float) -> Floats:
    log = np.log(np.maximum(probability, marks.CLIP)) / temperature
    heated = np.exp(log - log.max(axis=-1, keepdims=True))
    return heated / heated.sum(axis=-1, keepdims=True)


def _level_list(values: Any) -> tuple[float, ...]:
    levels = values if isinstance(values, list) else []
    plain = all(type(level) in (int, float) and 0 <= level <= 1 for level in levels)
    if len(levels) != len(KNOTS) or not plain:
        raise ValueError(f"expected {len(KNOTS)} levels between 0 and 1")
    if (np.diff(levels) < 0).any():
        raise ValueError("expected growing levels")
    return tuple(map(float, levels))


def _heat(value: Any) -> float:
    if type(value) not in (int, float) or not 0.99 / HOTTEST <= value <= 1.01 * HOTTEST:
        raise ValueError(f"expected a temperature from {1 / HOTTEST:g} to {HOTTEST:g}")
    return float(value)


def _count(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("expected numbers of events and groups from 1")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text that says how samples were drawn")
    return value
