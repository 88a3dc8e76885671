"""Futures of a model: its own next-event law, one event after another, until the horizon."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from test_next_event import ABOUT, NUMBERS, forecaster, quakes, untrained

from smash.data.clock import Clock
from smash.errors import DataError, ForecastError
from smash.forecast.event_forecaster import EventForecaster, Extrapolation
from smash.forecast.futures import Futures
from smash.forecast.histories import read_history
from smash.law.paths import sorted_paths
from smash.sampling import waiting
from smash.sampling.inverse_cdf import sample_inverse_cdf

pytestmark = pytest.mark.filterwarnings("ignore::smash.forecast.event_forecaster.Extrapolation")
PLAIN = {"time": [1.25, 2.0, 2.5]}


def futures(horizon="1d", n_paths=300, about=ABOUT, table=None, **request) -> Futures:
    table = quakes() if table is None else table
    return forecaster(about=about).simulate(table, horizon=horizon, n_paths=n_paths, **request)


@pytest.mark.parametrize("wait", [0.0, 0.05])
def test_the_first_event_of_a_future_is_the_next_event(wait):
    table, many = quakes(**PLAIN), 1500
    source = forecaster(about=NUMBERS)
    paths = source.simulate(table, horizon=3.0, n_paths=many, now=2.5 + wait, max_events=10_000)
    first = paths.table().groupby("path").first()
    drawn = source.next(table, n_samples=many, now=2.5 + wait, seed=1).samples
    drawn = drawn[drawn["time"] <= 2.5 + wait + 3.0]
    assert len(first) / many == pytest.approx(len(drawn) / many, abs=0.02)
    for column in ("time", "x", "y"):
        assert ks_2samp(first[column], drawn[column]).pvalue > 1e-3
    shares = [part["mark"].value_counts(normalize=True) for part in (first, drawn)]
    assert shares[0].sub(shares[1], fill_value=0).abs().max() < 0.06


def test_every_event_is_drawn_from_the_context_of_all_before_it(monkeypatch):
    seen = []

    def recording(network, context, *others, **more):
        seen.append(context.clone())
        return sample_inverse_cdf(network, context, *others, **more)

    monkeypatch.setattr(waiting, "sample_inverse_cdf", recording)
    source, table = forecaster(about=NUMBERS), quakes(**PLAIN)
    made = source.simulate(table, horizon=1.0, n_paths=7, seed=2).table()
    assert made.groupby("path").size().nunique() > 1  # so that some paths were let go
    for _, path in made.groupby("path"):
        for n in range(1, len(path) + 1):
            longer = pd.concat([table, path.head(n)])
            events = read_history(longer, NUMBERS, 3).events
            whole = source.forecaster.law_after(events).context
            assert (seen[n] - whole).abs().amax(dim=1).min() < 1e-5


def test_events_lie_within_the_horizon_in_the_datas_units_and_names():
    made = futures("12h")
    table, now = made.table(), pd.Timestamp("2024-04-03T12:00:00Z")
    assert table["time"].min() > now
    assert table["time"].max() <= now + pd.Timedelta("12h")
    assert set(table["mark"]) <= set(ABOUT.mark_names)
    assert table.groupby("path")["time"].is_monotonic_increasing.all()
    assert made.counts.sum() == len(table)


def test_a_horizon_may_be_written_in_any_unit():
    days = futures(0.5, n_paths=40)
    for same in ("0.5 days", "12h", "720 min", "43200 seconds"):
        pd.testing.assert_frame_equal(futures(same, n_paths=40).table(), days.table())
    assert Clock("hours").duration("1d") == 24


@pytest.mark.parametrize("horizon", [0, -1, "0d", "soon", "1 fortnight", float("nan")])
def test_an_impossible_horizon_is_refused(horizon):
    with pytest.raises(ForecastError, match="horizon"):
        futures(horizon)


def test_a_bad_history_is_refused_as_data_are():
    with pytest.raises(DataError, match=r"the mark .* is missing"):
        futures(table=quakes(mark=["light", None, "light"]))
    with pytest.raises(ForecastError, match="no law of a first event"):
        futures(table=quakes().head(0), now="2024-04-05")


def test_a_model_that_explodes_is_stopped_with_a_reason():
    with pytest.raises(ForecastError, match=r"more than 20 events after .* raise max_events"):
        futures("30d", n_paths=3, max_events=20)


def test_a_horizon_beyond_what_was_trained_is_warned_of():
    with pytest.warns(Extrapolation, match="training windows no more than 30"):
        futures("29.5d", n_paths=1, max_events=10**6, table=quakes(time=[1.0, 1.1, 14.0]))


def test_progress_adds_up_to_one_and_equal_seeds_to_equal_futures():
    done = []
    made = futures(n_paths=300, on_progress=done.append)
    assert sum(done) == pytest.approx(1)
    assert min(done) >= 0
    pd.testing.assert_frame_equal(made.table(), futures(n_paths=300).table())
    assert len(futures(n_paths=300, seed=1).table()) != len(made.table())


def test_unmarked_futures_have_no_marks():
    source = EventForecaster.of_model(untrained(1))
    assert "mark" not in source.simulate(quakes(), horizon="6h", n_paths=5).table()


EVENTS = {
    "path": np.array([2, 0, 0, 0]),
    "time": np.array([0.5, 0.9, 0.2, 0.4]),
    "location": np.array([[0.5, 0.5], [9.0, 0.5], [0.5, 1.5], [0.5, 0.5]]),
    "mark": np.array([1, 1, 0, 0]),
}


def few() -> Futures:
    paths = sorted_paths(4, 0.0, 1.0, **EVENTS)
    history = read_history(quakes(time=[-2.0, -1.0, 0.0]), NUMBERS, 3, start=-2.0)
    return Futures(paths, history, NUMBERS, 3, np.array([[0.0, 0.0], [2.0, 2.0]]))


def test_counts_are_distributed_over_the_paths():
    assert few().counts.tolist() == [3, 0, 1, 0]
    assert few().count_distribution().to_dict() == {0: 0.5, 1: 0.25, 2: 0.0, 3: 0.25}


def test_a_map_counts_the_events_of_each_cell():
    of = few().rate_map(cells=2, quantiles=(0.5, 1.0))
    assert of.mean.tolist() == [[0.5, 0.0], [0.25, 0.0]]
    assert of.quantiles[1.0].tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert of.x.tolist() == [0.0, 1.0, 2.0]


def test_a_mark_comes_when_its_first_event_does():
    arrival = few().time_to_mark("strong", levels=(0.25, 0.5, 0.9))
    assert arrival.probability == 0.5
    assert arrival.quantiles == {0.25: 0.5, 0.5: 0.9, 0.9: None}
    assert few().time_to_mark("great").probability == 0
    with pytest.raises(ForecastError, match="'huge' is unknown; the model knows light"):
        few().time_to_mark("huge")
