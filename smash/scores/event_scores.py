"""The table of scored events and the figures made of it.

Scoring is per event: `score_events` gives one row an event, a batch of forecasts at a time, and
the rows of all batches together are what reports, bootstraps and paired tests read. `summarise`
turns them into figures with stable names. `COLUMNS` says what each column holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from smash.data.events import EventSequences, Targets
from smash.data.groups import lay_out
from smash.errors import DataError
from smash.law.log_density import LogDensity
from smash.law.next_event_law import NextEventLaw
from smash.law.samples import Samples
from smash.scores import calibration, marks, original_estimators, points, proper
from smash.scores.law_times import law_crps, law_pit
from smash.settings import ScoreSettings


@dataclass(frozen=True)
class Column:
    """What a column of the table holds, and its unit."""

    meaning: str
    unit: str


Scales = tuple[float, ...]
"""Standard deviations of training targets: of gaps, then of each coordinate of places."""
TIME, LENGTH, LEVEL, MARK, COUNT = "time", "length", "level in (0, 1)", "mark from 0", "count"

COLUMNS: dict[str, Column] = {
    "sequence": Column("the event's sequence in its split, from 0", COUNT),
    "event": Column("the event's place in its sequence, from 0", COUNT),
    "group": Column(
        "equal for events to be resampled as one (`smash.data.groups.Layout.unit`), from 0", COUNT
    ),
    "repeat": Column(
        "the same event stands in an earlier row, seen through another window", "true or false"
    ),
    "n_samples": Column("samples the forecast was scored with", COUNT),
    "gap": Column("true time since the previous event", TIME),
    "x": Column(
        "true first coordinate; what is of places is absent where events have none", LENGTH
    ),
    "y": Column("true second coordinate", LENGTH),
    "mark": Column("true mark; absent from unmarked data", MARK),
    "pit_time": Column("randomised PIT of the gap; [0, q-quantile] holds it when <= q", LEVEL),
    "pit_time_law": Column(
        "PIT of the gap by the law's own cdf, randomised where a gap has a probability of its own",
        LEVEL,
    ),
    "region_level": Column(
        "level of the smallest density region that holds the location, ties randomised", LEVEL
    ),
    "error_time": Column("|mean of the gap's samples - gap|", TIME),
    "error_time_median": Column("|median of the gap's samples - gap|", TIME),
    "error_location": Column("distance of the location from its samples' mean", LENGTH),
    "error_location_median": Column(
        "distance of the location from its samples' geometric median", LENGTH
    ),
    "crps_time": Column("fair CRPS of the gap; NaN for one sample", TIME),
    "crps_time_law": Column("CRPS of the gap by quadrature of the law's own cdf", TIME),
    "energy_location": Column("fair energy score of the location; NaN for one sample", LENGTH),
    "energy_joint": Column(
        "fair energy score of (gap, x, y), each divided by its training standard deviation; "
        "absent when these were not given",
        "1",
    ),
    "time_log_loss": Column("-log density of the gap, where the forecaster has one", "nats"),
    "mark_given_time_log_loss": Column("the same of the mark given the gap", "nats"),
    "place_log_loss": Column("the same of the location given gap and mark", "nats"),
    "time_mark_log_loss": Column("the same of gap and mark", "nats"),
    "event_log_loss": Column("the same of gap, mark and location together", "nats"),
    "unmarked_log_loss": Column("the same of gap and location, the mark summed out", "nats"),
    "mark_predicted": Column("arg max of the mean p(k | t)", MARK),
    "mark_confidence": Column("maximum of the mean p(k | t)", "probability"),
    "mark_log_loss": Column(f"-log p(true mark), p at least {marks.CLIP:g}", "nats"),
    "mark_brier": Column("sum over marks of (p(k) - [k is true])^2", "0 to 2"),
    "mark_predicted_original": Column("mode over samples of the arg max of p(k | t)", MARK),
    "level_time_original": Column(
        "least level whose interval by the original estimator holds the gap; inf: none does",
        "level; may exceed 1",
    ),
    "level_location_original": Column(
        "least level whose region by the original estimator holds the location; inf: none does",
        "level",
    ),
    "degenerate_original": Column(
        "the original estimator fails for these samples (all equal or on a line)", "true or false"
    ),
}
"""The columns in the table's order; units are the data's own.

`with_groups` adds `group` and `repeat`, `with_densities` the losses of densities, `with_law_times`
what laws say without draws. Columns on marks
are absent from unmarked forecasts, those of places where events have none, those of the original
estimators when `ScoreSettings.original` is false.
"""


def score_events(
    samples: Samples,
    targets: Targets,
    settings: ScoreSettings,
    generator: torch.Generator,
    scales: Scales | None = None,
) -> pd.DataFrame:
    """Returns a table with a row for each of N events and the columns of `COLUMNS`.

    Args:
        samples: S draws an event, raw units.
        targets: what happened.
        settings: whether the original estimators are wanted.
        generator: breaks ties of the calibration ranks.
        scales: training standard deviations of gap and coordinates, for the joint energy score.

    Raises:
        DataError: when samples and targets do not match, a sample is not finite, or a mark lies
            beyond the forecast's marks.
    """
    _check(samples, targets)
    columns: dict[str, object] = {
        "sequence": targets.sequence,
        "event": targets.event,
        "n_samples": np.full(len(targets), samples.gap.shape[1], dtype=np.int64),
        "gap": targets.gap,
        **dict(zip(("x", "y"), targets.location.T, strict=False)),
    }
    if targets.mark is not None:
        columns["mark"] = targets.mark
    columns |= _calibration_columns(samples, targets, generator)
    columns |= _error_columns(samples, targets)
    columns |= _proper_columns(samples, targets, scales)
    columns |= _mark_columns(samples, targets)
    if settings.original:
        columns |= _original_columns(samples, targets)
    return pd.DataFrame({name: columns[name] for name in COLUMNS if name in columns})


def with_densities(table: pd.DataFrame, found: LogDensity) -> pd.DataFrame:
    """Returns the table of all targets, in their order, with the log losses of densities if any."""
    densities = {
        "time_log_loss": found.time,
        "mark_given_time_log_loss": found.mark,
        "place_log_loss": found.place,
        "time_mark_log_loss": found.time_mark,
        "event_log_loss": found.event,
        "unmarked_log_loss": found.unmarked,
    }
    if "x" not in table:
        # What is left of these is that of the gap, or of the whole event.
        for name in ("place_log_loss", "time_mark_log_loss", "unmarked_log_loss"):
            del densities[name]
    known = {name: -density for name, density in densities.items() if density is not None}
    return _ordered(table.assign(**known))


def with_law_times(
    table: pd.DataFrame,
    laws: Iterable[tuple[Targets, NextEventLaw]],
    generator: torch.Generator,
) -> pd.DataFrame:
    """Returns the table of all targets, in their order, with the PIT and the CRPS of their laws.

    The laws are those of `Forecaster.laws` and have a cdf; the generator spreads gaps over their
    atoms.
    """
    found = [
        (law_pit(law.time, targets.gap, generator), law_crps(law.time, targets.gap))
        for targets, law in laws
    ]
    pit, crps = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return _ordered(table.assign(pit_time_law=pit, crps_time_law=crps))


def with_groups(table: pd.DataFrame, sequences: EventSequences) -> pd.DataFrame:
    """Returns the table of all targets of `sequences` with its columns `group` and `repeat`."""
    layout = lay_out(sequences)
    row = sequences.offsets[table["sequence"]] + table["event"]
    _, group = np.unique(layout.unit[row], return_inverse=True)
    return _ordered(table.assign(group=group, repeat=layout.is_repeat(row)))


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    return table[[name for name in COLUMNS if name in table]]


def _calibration_columns(
    samples: Samples, targets: Targets, generator: torch.Generator
) -> dict[str, object]:
    columns: dict[str, object] = {
        "pit_time": calibration.randomised_pit(samples.gap, targets.gap, generator)
    }
    if targets.location.shape[1]:
        columns["region_level"] = calibration.region_level(
            samples.location, targets.location, generator
        )
    return columns


def _error_columns(samples: Samples, targets: Targets) -> dict[str, object]:
    gap, location = samples.gap, samples.location
    columns: dict[str, object] = {
        "error_time": np.abs(gap.mean(axis=1) - targets.gap),
        "error_time_median": np.abs(np.median(gap, axis=1) - targets.gap),
    }
    if not targets.location.shape[1]:
        return columns
    centre = points.geometric_median(location)
    return columns | {
        "error_location": points.distance(location.mean(axis=1), targets.location),
        "error_location_median": points.distance(centre, targets.location),
    }


def _proper_columns(samples: Samples, targets: Targets, scales: Scales | None) -> dict[str, object]:
    columns: dict[str, object] = {"crps_time": proper.fair_crps(samples.gap, targets.gap)}
    if not targets.location.shape[1]:
        return columns
    columns["energy_location"] = proper.fair_energy_score(samples.location, targets.location)
    if scales is not None:
        forecast = np.concatenate([samples.gap[..., None], samples.location], axis=-1)
        truth = np.concatenate([targets.gap[:, None], targets.location], axis=-1)
        divisor = np.asarray(scales)
        columns["energy_joint"] = proper.fair_energy_score(forecast / divisor, truth / divisor)
    return columns


def _mark_columns(samples: Samples, targets: Targets) -> dict[str, object]:
    probability, mark = samples.mark_probability, targets.mark
    if probability is None or mark is None:
        return {}
    columns: dict[str, object] = {
        "mark_predicted": probability.argmax(axis=1),
        "mark_confidence": probability.max(axis=1),
        "mark_log_loss": marks.log_loss(probability, mark),
        "mark_brier": marks.brier_score(probability, mark),
    }
    if samples.mark_mode is not None:
        n_marks = probability.shape[1]
        columns["mark_predicted_original"] = marks.most_frequent(samples.mark_mode, n_marks)
    return columns


def _original_columns(samples: Samples, targets: Targets) -> dict[str, object]:
    time = original_estimators.time_level(samples.gap, targets.gap)
    if not targets.location.shape[1]:
        return {"level_time_original": time.level, "degenerate_original": time.degenerate}
    location = original_estimators.location_level(samples.location, targets.location)
    return {
        "level_time_original": time.level,
        "level_location_original": location.level,
        "degenerate_original": time.degenerate | location.degenerate,
    }


def _check(samples: Samples, targets: Targets) -> None:
    n_events, n_samples = samples.gap.shape
    n_axes = targets.location.shape[1]
    if n_samples < 1 or samples.location.shape != (n_events, n_samples, n_axes):
        raise DataError(
            f"samples: gaps of shape {samples.gap.shape} and locations of shape "
            f"{samples.location.shape}; give (N, S) and (N, S, {n_axes}) with one sample or more"
        )
    if n_events != len(targets):
        raise DataError(
            f"samples: {n_events} forecasts for {len(targets)} targets; score a forecast with "
            "the targets it was made for"
        )
    values = np.concatenate([samples.gap[..., None], samples.location], axis=-1)
    broken = ~np.isfinite(values).all(axis=(1, 2))
    if broken.any():
        raise DataError(
            f"samples: {_place(targets, broken)}: a sample is not a finite number; "
            "a smaller langevin_step keeps the chain from diverging"
        )
    if samples.mark_probability is None or targets.mark is None:
        return
    unknown = targets.mark >= samples.mark_probability.shape[1]
    if unknown.any():
        raise DataError(
            f"samples: {_place(targets, unknown)}: mark {targets.mark[unknown.argmax()]} is "
            f"beyond the forecast's {samples.mark_probability.shape[1]} marks; was it made for "
            "other data?"
        )


def _place(targets: Targets, wrong: np.ndarray) -> str:
    row = int(wrong.argmax())
    return f"sequence {targets.sequence[row]}, event {targets.event[row]}"
