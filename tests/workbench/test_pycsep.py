"""Exported catalogues tested by pyCSEP: its quantiles are ours."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from test_contests import known_process, made_up

from smash.baselines import Etas
from smash.workbench.contests.csep_grid import Grid
from smash.workbench.contests.next_day import Day, Entrant, forecast_days, write_catalogues

csep = pytest.importorskip("csep", reason="pyCSEP is not installed: the extra seismology")
pytestmark = pytest.mark.filterwarnings("ignore")


def region_of(grid: Grid):
    from csep.core.regions import CartesianGrid2D

    columns, rows = grid.shape
    corners = [
        grid.low + grid.width * np.array([column, row])
        for column in range(columns)
        for row in range(rows)
    ]
    sizes = grid.least + grid.step * np.arange(grid.n_sizes)
    return CartesianGrid2D.from_origins(np.round(corners, 6), grid.width, np.round(sizes, 6))


def what_happened(contest, day: Day, region):
    from csep.core.catalogs import CSEPCatalog

    test = contest.test
    rows = np.flatnonzero((test.time >= day.start) & (test.time < day.start + 1))
    degrees = contest.geography.degrees(test.location[rows])
    events = [
        (str(i), 0, lat, lon, 0.0, size)
        for i, (lon, lat), size in zip(rows, degrees, test.magnitude[rows], strict=True)
    ]
    return CSEPCatalog(data=events, region=region, name="observed")


def at_most(found) -> float:
    """Its quantile, with what is equal but for rounding counted as equal; it is `<=` there."""
    statistics, seen = np.asarray(found.test_distribution), float(found.observed_statistic)
    exactly = np.mean(statistics <= seen)
    ties = np.mean(np.isclose(statistics, seen, rtol=1e-9, atol=1e-12))
    assert exactly - ties - 1e-12 <= found.quantile[1] <= exactly + 1e-12
    return float(np.mean(statistics <= seen + 1e-9 * max(1.0, abs(seen))))


def test_quantiles_of_exported_catalogues_are_those_of_pycsep(tmp_path):
    from csep.core import catalog_evaluations as theirs

    contest, process = known_process(made_up(tmp_path, 12_000))
    # Fewer than there were, so that some catalogues of a day are empty.
    process = replace(process, parameters=replace(process.parameters, mu=2.0))
    entrant = Entrant.of(Etas(process, None), contest)
    region = region_of(contest.grid())
    for number, day in enumerate(forecast_days(entrant, contest, 4, 60)):
        path = tmp_path / f"day_{number}.csv"
        write_catalogues(day, contest.clock, contest.geography, path)
        begin = datetime(2016, 1, 1, tzinfo=timezone.utc) + timedelta(days=number)
        forecast = csep.load_catalog_forecast(
            str(path),
            region=region,
            start_time=begin,
            end_time=begin + timedelta(days=1),
            filter_spatial=True,
        )
        observed = what_happened(contest, day, region)
        assert observed.event_count == day.n_observed > 0
        assert day.catalogues.counts.min() == 0
        found = theirs.number_test(forecast, observed, verbose=False)
        assert len(found.test_distribution) == 60
        assert day.tests.number == pytest.approx(found.quantile)
        for test, quantile in (
            (theirs.spatial_test, day.tests.space),
            (theirs.magnitude_test, day.tests.magnitude),
            (theirs.pseudolikelihood_test, day.tests.pseudo_likelihood),
        ):
            assert quantile == pytest.approx(at_most(test(forecast, observed, verbose=False)))
