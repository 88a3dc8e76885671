"""CSEP's tests: what is one of the catalogues passes as often as it should."""

import numpy as np
import pytest

from smash.scores.csep import Binned, calibration, consistency

CELLS, SIZES = 30, 12


def drawn(numbers, rate: float, n_paths: int, tilt: float = 0.0):
    counts = numbers.poisson(rate, n_paths)
    weight = np.exp(tilt * np.arange(CELLS))
    cell = numbers.choice(CELLS, counts.sum(), p=weight / weight.sum())
    size = np.minimum(numbers.geometric(0.4, counts.sum()) - 1, SIZES - 1)
    return Binned(cell, size), np.repeat(np.arange(n_paths), counts)


def days(n: int, rate: float = 8.0, seen: float = 8.0, tilt: float = 0.0):
    numbers, found = np.random.default_rng(0), []
    for _ in range(n):
        forecast, path = drawn(numbers, rate, 400, 0.15)
        observed, _ = drawn(numbers, seen, 1, 0.15 + tilt)
        found.append(consistency(forecast, path, 400, observed, CELLS, SIZES))
    return found


def test_what_is_one_of_the_catalogues_passes():
    found = days(150)
    for name in ("N", "S", "M", "PL"):
        passed = [p for day in found if (p := day.passed()[name]) is not None]
        assert len(passed) > 140
        assert np.mean(passed) > 0.88
    for name in ("space", "magnitude"):
        assert calibration([getattr(day, name) for day in found]) > 1e-3


def test_what_is_none_of_them_fails():
    assert np.mean([day.passed()["N"] for day in days(40, seen=25.0)]) < 0.3
    assert np.mean([day.passed()["S"] for day in days(40, tilt=-0.4)]) < 0.3


def test_the_statistics_are_those_of_the_definition():
    cells = np.array([0, 0, 1, 1, 2, 0])
    sizes = np.array([0, 1, 0, 0, 1, 0])
    path = np.array([0, 0, 1, 1, 1, 3])
    observed = Binned(np.array([0, 2]), np.array([0, 0]))
    found = consistency(Binned(cells, sizes), path, 4, observed, 3, 2)
    assert found.number == (0.5, 0.75)
    rate = np.array([3, 2, 1]) / 4
    each = [np.log(rate[cells[path == j]]) for j in range(4)]
    share = [v.mean() <= np.log(rate[[0, 2]]).mean() + 1e-12 for v in each if len(v)]
    assert found.space == pytest.approx(np.mean(share))
    likely = [v.sum() <= np.log(rate[[0, 2]]).sum() + 1e-12 for v in each]
    assert found.pseudo_likelihood == pytest.approx(np.mean(likely))
    union = np.log10(np.array([4, 2]) * 2 / 6 + 1)

    def away(counts):
        scaled = np.asarray(counts) * 2 / np.sum(counts)
        return ((np.log10(scaled + 1) - union) ** 2).sum()

    assert found.unseen == 0

    nearer = [away(c) <= away([2, 0]) + 1e-12 for c in ([1, 1], [2, 1], [1, 0])]
    assert found.magnitude == pytest.approx(np.mean(nearer))


def test_events_where_no_catalogue_has_one_are_counted():
    forecast = Binned(np.array([0, 1]), np.array([0, 0]))
    observed = Binned(np.array([0, 2, 2]), np.array([0, 0, 0]))
    found = consistency(forecast, np.array([0, 1]), 2, observed, 3, 1)
    assert found.unseen == 2
    assert found.space is not None
    nothing = Binned(np.empty(0, np.int64), np.empty(0, np.int64))
    assert consistency(nothing, nothing.cell, 2, observed, 3, 1).unseen == 3


def test_days_without_events_say_nothing_but_of_their_number():
    nothing = Binned(np.empty(0, np.int64), np.empty(0, np.int64))
    forecast, path = drawn(np.random.default_rng(1), 0.5, 50)
    found = consistency(forecast, path, 50, nothing, CELLS, SIZES)
    assert found.number[0] == 1
    assert found.space is None
    assert found.passed()["M"] is None
    assert np.isnan(calibration([None]))


class Gridded:
    """Events as pyCSEP's tests ask for them: counts of cells and of magnitudes."""

    def __init__(self, events: Binned):
        self.event_count, self.name = len(events), "made up"
        self._cells = np.bincount(events.cell, minlength=CELLS).astype(float)
        self._sizes = np.bincount(events.size, minlength=SIZES).astype(float)

    def spatial_counts(self):
        return self._cells

    def magnitude_counts(self):
        return self._sizes


class Rates(Gridded):
    """Mean counts of a forecast's catalogues."""

    def __init__(self, events: Binned, n_paths: int):
        super().__init__(events)
        self._cells, self._sizes = self._cells / n_paths, self._sizes / n_paths

    def sum(self):
        return self._cells.sum()


class Forecast(list):
    """Catalogues as pyCSEP's tests ask for a forecast of them."""

    def __init__(self, events: Binned, path, n_paths: int):
        rows = [path == j for j in range(n_paths)]
        super().__init__(Gridded(Binned(events.cell[r], events.size[r])) for r in rows)
        self.expected_rates = Rates(events, n_paths)
        self.region, self.name, self.min_magnitude = self, "made up", 0.0
        self.magnitudes = np.arange(SIZES)


def test_quantiles_are_those_of_pycsep():
    theirs = pytest.importorskip(
        "csep.core.catalog_evaluations", reason="pyCSEP is not installed: the extra seismology"
    )
    numbers = np.random.default_rng(2)
    for rate in (0.7, 3.0, 20.0):
        events, path = drawn(numbers, rate, 60, 0.15)
        observed, _ = drawn(numbers, rate, 1, 0.1)
        if len(observed) == 0:
            continue
        ours = consistency(events, path, 60, observed, CELLS, SIZES)
        forecast, seen = Forecast(events, path, 60), Gridded(observed)
        number = theirs.number_test(forecast, seen, verbose=False).quantile
        assert ours.number == pytest.approx(number)
        space = theirs.spatial_test(forecast, seen, verbose=False).quantile[1]
        assert ours.space == pytest.approx(space)
        magnitude = theirs.magnitude_test(forecast, seen, verbose=False).quantile[1]
        assert ours.magnitude == pytest.approx(magnitude)
        likelihood = theirs.pseudolikelihood_test(forecast, seen, verbose=False).quantile[1]
        assert ours.pseudo_likelihood == pytest.approx(likelihood)
