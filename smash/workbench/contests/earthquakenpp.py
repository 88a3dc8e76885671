"""EarthquakeNPP: catalogues, periods and published figures, and forecasters held against them.

S. Stockman, D. J. Lawson, M. J. Werner, "EarthquakeNPP" (arXiv 2410.08226): log likelihood an event
of the time since the last one and of its place given that, in days and km². `earthquakenpp.csv` has
the published means over three seeds. Baselines are fitted to training and validation data together,
as the published ETAS is; models have seen what they were trained on.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from smash.data.catalogues import Catalogue, read_catalogue
from smash.data.events import EventSequences, build_sequences
from smash.data.periods import cut_periods
from smash.data.region import Region
from smash.errors import DataError, SmashError
from smash.forecast.event_forecaster import EventForecaster
from smash.law.forecaster import Forecaster
from smash.scores.bootstrap import Difference, Resampling, differences
from smash.settings import Columns
from smash.workbench.contests.catalogue_contest import Contest, fit, seen_by

SOURCE = "Stockman, Lawson, Werner (arXiv 2410.08226), means over three seeds"
BLOCK = 7.0
"""Days that are resampled as one."""


@dataclass(frozen=True)
class Protocol:
    """A published catalogue: its file, magnitude threshold, region and the dates of its periods.

    Events before `train` are history alone. `corners`: longitudes and latitudes.
    """

    file: str
    threshold: float
    auxiliary: str
    train: str
    validation: str
    test: str
    end: str
    corners: tuple[tuple[float, float], ...]


PROTOCOLS = {
    "sanjac": Protocol(
        "SanJac_catalog.csv",
        1.0,
        "2008-01-01",
        "2009-01-01",
        "2014-01-01",
        "2016-01-01",
        "2018-01-01",
        ((-117.0, 33.0), (-116.0, 33.0), (-116.0, 34.0), (-117.0, 34.0)),
    )
}
FORECASTERS = ("poisson", "etas_even", "etas", "hawkes")
"""Rows by name: `etas_even` has the published ETAS's even background and knows no edges."""
WANTED = ("poisson", "etas_even", "etas")


@dataclass(frozen=True)
class Row:
    """A forecaster's figures, nats an event, higher being better; `reason` where it has none.

    `gain` over others by name: the mean log likelihood an event more, with its 95 % interval.
    """

    name: str
    time: float | None = None
    space: float | None = None
    gain: Mapping[str, Difference] | None = None
    reason: str = ""


def load(catalog: str, folder: Path) -> Contest:
    """Returns a catalogue of the folder that holds the published file, in days and km.

    Raises:
        DataError: when the catalogue is not known, or its file is missing or not as published.
    """
    if catalog not in PROTOCOLS:
        raise DataError(f"--catalog {catalog}: known is {', '.join(PROTOCOLS)}")
    protocol = PROTOCOLS[catalog]
    columns = Columns(x="longitude", y="latitude", magnitude="magnitude")
    corners = np.array(protocol.corners)
    found = read_catalogue(
        folder / protocol.file,
        columns,
        time_unit="days",
        project=True,
        threshold=protocol.threshold,
        region=corners,
    )
    windows = cut_periods(found, f"{protocol.validation},{protocol.test}", protocol.train)
    begin, end = (_days(found, date) for date in (protocol.auxiliary, protocol.end))
    if found.time[0] < begin or found.time[-1] > end:
        raise DataError(
            f"{folder / protocol.file}: has events beyond {protocol.auxiliary} to {protocol.end}; "
            "give the file as published"
        )
    assert windows.history is not None
    ahead = windows.history
    dates = (begin, _days(found, protocol.test), end)
    fitted = _sequence(found, windows.rows[1], dates[0], dates[1], int(ahead[0]), "fitted")
    test = _sequence(found, windows.rows[2], dates[0], dates[2], int(ahead[2]), "test")
    notes = (*found.notes, *map(str, found.left_out))
    region = Region(found.geography.outline(corners))
    ends = corners.min(axis=0), corners.max(axis=0)
    about = found.geography, found.clock, ends, dates[1]
    return Contest(catalog, fitted, test, region, protocol.threshold, notes, *about, even=True)


def scored(forecaster: Forecaster, test: EventSequences) -> pd.DataFrame:
    """Returns a row a target of `test` with its `time_log_loss`, `place_log_loss` and their sum.

    Raises:
        DataError: when the forecaster lacks a density.
    """
    found = forecaster.log_densities(test)
    if found.time is None or found.unmarked is None:
        raise DataError(f"no density of time or place: {found.lacking or 'it has none'}")
    targets = test.targets()
    return pd.DataFrame(
        {
            "sequence": targets.sequence,
            "event": targets.event,
            "group": np.floor(targets.time / BLOCK).astype(np.int64),
            "time_log_loss": -found.time,
            # The place given the time alone, of marked forecasters too.
            "place_log_loss": found.time - found.unmarked,
            "unmarked_log_loss": -found.unmarked,
        }
    )


def rows(tables: Mapping[str, pd.DataFrame | str]) -> list[Row]:
    """Returns a row for each table of scored events, or with the reason that stands in its place.

    Gains are over those of `poisson`, `etas_even` and `etas` that there are.
    """
    found = {name: table for name, table in tables.items() if isinstance(table, pd.DataFrame)}
    if not found:
        return [Row(name, reason=str(table)) for name, table in tables.items()]
    resampling = Resampling.of(next(iter(found.values())))
    made = []
    for name, table in tables.items():
        if isinstance(table, str):
            made.append(Row(name, reason=table))
            continue
        time, space = -table["time_log_loss"].mean(), -table["place_log_loss"].mean()
        gain = {
            other: _gain(table, found[other], resampling)
            for other in WANTED
            if other in found and other != name
        }
        made.append(Row(name, float(time), float(space), gain))
    return made


def held(
    contest: Contest,
    names: tuple[str, ...],
    models: Mapping[str, EventForecaster],
    say: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Returns the rows of the forecasters `names`, fitted here, and of `models` by name.

    What cannot be fitted or scored has a row that says why, and the rest goes on.
    """
    tables: dict[str, pd.DataFrame | str] = {}
    for name in (*names, *models):
        say(name)
        try:
            if name in models:
                tables[name] = scored(models[name].forecaster, seen_by(models[name], contest))
            else:
                tables[name] = scored(fit(name, contest), contest.test)
        except SmashError as error:
            tables[name] = str(error)
    return rows(tables)


@cache
def published(catalog: str) -> tuple[Row, ...]:
    """Returns the published rows of a catalogue."""
    with Path(__file__).with_name("earthquakenpp.csv").open(encoding="utf-8") as lines:
        return tuple(
            Row(line["method"], float(line["time"]), float(line["space"]))
            for line in csv.DictReader(lines)
            if line["catalog"] == catalog
        )


def _sequence(
    found: Catalogue, kept: np.ndarray, begin: float, end: float, history: int, name: str
) -> EventSequences:
    assert found.magnitude is not None
    return build_sequences(
        found.time[kept],
        found.location[kept],
        None,
        [len(kept)],
        f"{found.name} ({name})",
        window=np.array([[begin, end]]),
        magnitude=found.magnitude[kept],
        history=[history],
    )


def _days(found: Catalogue, date: str) -> float:
    moment = pd.Timestamp(date, tz="UTC") - pd.Timestamp(found.clock.origin)
    return float(moment / pd.Timedelta(days=1))


def _gain(table: pd.DataFrame, other: pd.DataFrame, resampling: Resampling) -> Difference:
    """Returns by how much the log likelihood is higher than another's."""
    nothing = Difference(float("nan"), float("nan"), float("nan"), float("nan"))
    loss = differences(table, other, resampling).get("unmarked_log_loss", nothing)
    return Difference(-loss.difference, -loss.high, -loss.low, loss.p_value)
