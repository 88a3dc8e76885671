"""What figures are called in reports, in which unit, and which end is better."""

from dataclasses import dataclass
from typing import Literal

from smash.scores.bootstrap import REFERENCES
from smash.scores.bootstrap import SKILLS as SKILLS
from smash.workbench.report.display_tables import Column

Unit = Literal["percent", "time", "location", "nats", "number"]


@dataclass(frozen=True)
class Words:
    """A figure's words, the kind of its unit, and its better end (None: neither)."""

    words: str
    unit: Unit
    best: Literal["low", "high"] | None = "low"


@dataclass(frozen=True)
class Units:
    """What a data set measures gaps and locations in; without places, no names of coordinates."""

    time: str = "time units"
    location: str = "length units"
    location_names: tuple[str, ...] = ("x", "y")


FIGURES = {
    "crps_time": Words("CRPS time", "time"),
    "crps_time_law": Words("CRPS time by cdf", "time"),
    "energy_location": Words("energy score location", "location"),
    "energy_joint": Words("energy score joint", "number"),
    "mark_log_loss": Words("mark log loss", "nats"),
    "mark_brier": Words("mark Brier", "number"),
    "time_log_loss": Words("log loss of time", "nats"),
    "mark_given_time_log_loss": Words("log loss of mark given time", "nats"),
    "place_log_loss": Words("log loss of place", "nats"),
    "time_mark_log_loss": Words("log loss of time and mark", "nats"),
    "event_log_loss": Words("log loss of the whole event", "nats"),
    "unmarked_log_loss": Words("log loss of time and place", "nats"),
    "mae_time": Words("MAE time, mean", "time"),
    "rmse_time": Words("RMSE time, mean", "time"),
    "mae_time_median": Words("MAE time, median", "time"),
    "mae_location": Words("MAE location, mean", "location"),
    "mae_location_median": Words("MAE location, median", "location"),
    "accuracy": Words("accuracy", "percent", "high"),
    "accuracy_original": Words("accuracy", "percent", "high"),
    "cs_time": Words("CS time", "percent"),
    "cs_time_law": Words("CS time by cdf", "percent"),
    "cs_location": Words("CS location", "percent"),
    "cs_floor": Words("CS floor", "percent", None),
    "cs_bound": Words("CS bound", "percent", None),
    "cs_time_original": Words("CS time", "percent"),
    "cs_location_original": Words("CS location", "percent"),
    "ece": Words("ECE", "percent"),
    "n_events": Words("events", "number", None),
    "n_distinct": Words("distinct", "number", None),
    "n_samples": Words("samples", "number", None),
    **{
        f"information_gain_{what}{reference}": Words(f"over {reference}{words}", "nats", "high")
        for reference in REFERENCES
        for what, words in {"": "", "unmarked_": ", mark summed out"}.items()
    },
}
PROPER = ("crps_time", "energy_location", "energy_joint", "mark_log_loss", "mark_brier")


def column(figure: str, units: Units) -> Column:
    """Returns the column of a figure, its heading with the unit."""
    words = FIGURES[figure]
    if words.unit == "percent":
        return Column(figure, f"{words.words} (%)", factor=100, decimals=2, best=words.best)
    unit = unit_of(figure, units)
    decimals = 0 if figure.startswith("n_") else None
    heading = f"{words.words} ({unit})" if unit else words.words
    return Column(figure, heading, decimals=decimals, best=words.best)


def unit_of(figure: str, units: Units) -> str:
    """Returns a figure's unit in words, empty for plain numbers."""
    named = {"time": units.time, "location": units.location, "nats": "nats", "percent": "%"}
    return named.get(FIGURES[figure].unit, "")
