"""Contests: published rows stand beside ours, on the published events and scale."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from smash.baselines import Climatology, Etas, Poisson
from smash.errors import DataError
from smash.forecast.event_forecaster import EventForecaster
from smash.law.magnitudes import GutenbergRichter
from smash.law.paths import sorted_paths
from smash.law.place_densities import UniformPlaces
from smash.model.smash import About
from smash.simulate.etas_process import EtasParameters
from smash.simulate.etas_simulation import EtasProcess
from smash.workbench.cli.app import app
from smash.workbench.contests import earthquakenpp as contests
from smash.workbench.contests.catalogue_contest import fit, seen_by
from smash.workbench.contests.next_day import Entrant, forecast_days, write_catalogues
from smash.workbench.contests.next_day_scores import numbers, summary


def made_up(place, n_events: int):
    """Writes a catalogue where the published one would be: a steady rate, even over the region."""
    numbers = np.random.default_rng(0)
    day = np.sort(numbers.uniform(0, 3652, n_events))
    frame = pd.DataFrame(
        {
            "time": (pd.Timestamp("2008-01-01") + pd.to_timedelta(day, unit="D")).astype(str),
            "longitude": numbers.uniform(-117, -116, n_events),
            "latitude": numbers.uniform(33, 34, n_events),
            "magnitude": np.round(1 + numbers.exponential(0.4, n_events), 2),
        }
    )
    frame.to_csv(place / "SanJac_catalog.csv", index=False)
    return place


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_up(tmp_path_factory.mktemp("catalogues"), 900)


def test_the_published_poisson_is_a_rate_over_the_region(folder):
    contest = contests.load("sanjac", folder)
    (row,) = contests.held(contest, ("poisson",), {})
    n_fitted, n_test = contest.fitted.n_events, int(contest.test.is_target.sum())
    rate = n_fitted / 2922
    assert row.time == pytest.approx(np.log(rate) - rate * 731 / n_test, abs=0.02)
    assert row.space == pytest.approx(-9.240, abs=0.002)


def for_people(forecaster, contest, **about):
    """Returns a forecaster that knows the contest's plane, as a trained model does."""
    known = About(projection=contest.geography.origin, location_unit="km", **about)
    return EventForecaster(forecaster, known, np.zeros((2, 2)))


def test_rows_have_gains_or_reasons(folder):
    contest = contests.load("sanjac", folder)
    even = fit("poisson", contest)
    kernels = Poisson.fit(contest.fitted, 1, region=contest.region)
    models = {"kernels": for_people(kernels, contest), "again": for_people(even, contest)}
    found = contests.held(contest, ("poisson", "nonesuch"), models)
    by_name = {row.name: row for row in found}
    assert "known are" in by_name["nonesuch"].reason
    gain = by_name["kernels"].gain["poisson"]
    assert gain.low < gain.difference < gain.high
    expected = by_name["kernels"].time + by_name["kernels"].space
    expected -= by_name["poisson"].time + by_name["poisson"].space
    assert gain.difference == pytest.approx(expected)
    assert by_name["again"].gain["poisson"].difference == pytest.approx(0, abs=1e-9)


def test_a_model_sees_magnitudes_as_its_own_marks(folder):
    contest = contests.load("sanjac", folder)
    marked = replace(contest.fitted, mark=(contest.fitted.magnitude >= 1.5).astype(int))
    climatology = Climatology.fit(marked, 2)
    events = seen_by(for_people(climatology, contest, mark_edges=(1.5,)), contest)
    np.testing.assert_array_equal(events.mark, events.magnitude >= 1.5)
    np.testing.assert_allclose(events.location, contest.test.location, atol=1e-6)
    (row,) = contests.held(contest, (), {"ours": for_people(climatology, contest)})
    assert "no classes of magnitudes" in row.reason


def test_the_command_shows_published_rows_and_writes_ours(folder, tmp_path):
    out = tmp_path / "rows.json"
    arguments = ["contest", "earthquakenpp", "--folder", str(folder), "--forecasters", "poisson"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "1.1325" in result.output
    assert json.loads(out.read_text())[0]["name"] == "poisson"
    (published,) = (row for row in contests.published("sanjac") if row.name == "ETAS")
    assert (published.time, published.space) == (1.1325, -5.398)


def test_what_is_not_there_is_one_line(folder, tmp_path):
    with pytest.raises(DataError, match="--catalog atlantis: known is sanjac"):
        contests.load("atlantis", folder)
    result = CliRunner().invoke(app, ["contest", "earthquakenpp", "--folder", str(tmp_path)])
    assert result.exit_code == 2
    assert "no such file" in result.output
    frame = pd.read_csv(folder / "SanJac_catalog.csv")
    frame.loc[899, "time"] = "2019-01-01"
    frame.to_csv(tmp_path / "SanJac_catalog.csv", index=False)
    with pytest.raises(DataError, match="has events beyond 2008-01-01 to 2018-01-01"):
        contests.load("sanjac", tmp_path)


def known_process(folder):
    """The contest of a made-up catalogue, and the process that it is of, nearly."""
    contest = contests.load("sanjac", folder)
    rate = contest.fitted.n_events / 2922
    parameters = EtasParameters(rate, 1e-9, 0.5, 0.01, 1.1, 0.1, 0.3, 1.5, 1.0)
    magnitudes = GutenbergRichter(1 / (0.4 * np.log(10)), 1.0)
    even = UniformPlaces(contest.region)
    return contest, EtasProcess(parameters, even, magnitudes, contest.region)


@pytest.fixture(scope="module")
def steady(folder):
    return known_process(folder)


def test_next_days_of_the_true_process_are_consistent(steady, tmp_path):
    contest, process = steady
    parameters = process.parameters
    twentyfold = replace(process, parameters=replace(parameters, mu=20 * parameters.mu))
    much = list(forecast_days(Entrant.of(Etas(twentyfold, None), contest), contest, 40, 50))
    days = list(forecast_days(Entrant.of(Etas(process, None), contest), contest, 40, 50))
    assert sum(day.n_observed for day in days) == np.sum(
        (contest.test.time >= contest.test_start) & (contest.test.time < contest.test_start + 40)
    )
    table = summary([day.tests for day in days])
    assert table.loc["N", "passed"] > 0.85
    assert summary([day.tests for day in much]).loc["N", "passed"] < 0.5
    own, theirs = (numbers([day.scores() for day in drawn]) for drawn in (days, much))
    assert own["observed"] == theirs["observed"]
    assert own["crps"] < theirs["crps"]
    path = tmp_path / "day.csv"
    write_catalogues(days[0], contest.clock, contest.geography, path)
    written = pd.read_csv(path)
    assert list(written.columns[:3]) == ["lon", "lat", "mag"]
    written = written.dropna(subset=["lon"])  # an empty catalogue is a row too
    assert len(written) > 0
    assert written["lon"].between(-117, -116).all()
    assert written["time_string"].str.startswith("2016-01-01T").all()


def test_a_days_draws_are_its_own_however_many_are_drawn_at_a_time(steady):
    contest, process = steady
    entrant, threads = Entrant.of(Etas(process, None), contest), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = list(forecast_days(entrant, contest, 6, 20, seed=3))
        torch.set_num_threads(3)
        found = list(forecast_days(entrant, contest, 4, 20, seed=3))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    for one, other in zip(alone, found, strict=False):
        np.testing.assert_array_equal(one.catalogues.time, other.catalogues.time)
    assert len({len(day.catalogues) for day in alone}) > 1


def test_forecasters_without_magnitudes_are_given_those_of_their_marks(steady):
    contest, _ = steady
    marked = replace(contest.fitted, mark=(contest.fitted.magnitude >= 1.5).astype(int))
    model = for_people(Climatology.fit(marked, 2), contest, mark_edges=(1.5,))
    entrant = Entrant.of_model(model, contest)
    (day,) = forecast_days(entrant, contest, 1, 400)
    share = np.mean(day.catalogues.magnitude >= 1.5)
    assert share == pytest.approx(np.mean(marked.mark), abs=0.1)
    assert day.catalogues.magnitude.min() >= 1
    paths = sorted_paths(1, 0, 1, *np.zeros((2, 2), int), np.zeros((2, 2)), np.array([1, 0]))
    sizes = entrant.magnitudes(paths, torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(sizes >= 1.5, [True, False])


def test_next_days_are_shown_and_recorded(folder, tmp_path):
    out, export = tmp_path / "days.json", tmp_path / "catalogues"
    arguments = ["contest", "next-day", "--folder", str(folder), "--forecasters", "poisson"]
    more = ["--days", "3", "--paths", "20", "--out", str(out), "--export", str(export)]
    result = CliRunner().invoke(app, [*arguments, *more])
    assert result.exit_code == 0, result.output
    assert "CRPS of the" in result.output
    kept = json.loads(out.read_text())["forecasters"]["poisson"]
    assert len(kept["days"]) == 3
    assert set(kept["tests"]) == {"N", "S", "M", "PL"}
    assert len(list(export.rglob("day_*.csv"))) == 3
    again = CliRunner().invoke(app, [*arguments, *more])
    assert again.exit_code == 2
    assert "is not empty" in again.output
