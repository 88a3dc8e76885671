"""Contests: published rows stand beside ours, on the published events and scale."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from smash.baselines import Poisson
from smash.errors import DataError
from smash.workbench.cli.app import app
from smash.workbench.contests import earthquakenpp as contests


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A made-up catalogue where the published one would be: a steady rate, even over the region."""
    numbers, place = np.random.default_rng(0), tmp_path_factory.mktemp("catalogues")
    day = np.sort(numbers.uniform(0, 3652, 900))
    frame = pd.DataFrame(
        {
            "time": (pd.Timestamp("2008-01-01") + pd.to_timedelta(day, unit="D")).astype(str),
            "longitude": numbers.uniform(-117, -116, 900),
            "latitude": numbers.uniform(33, 34, 900),
            "magnitude": np.round(1 + numbers.exponential(0.4, 900), 2),
        }
    )
    frame.to_csv(place / "SanJac_catalog.csv", index=False)
    return place


def test_the_published_poisson_is_a_rate_over_the_region(folder):
    contest = contests.load("sanjac", folder)
    (row,) = contests.held(contest, ("poisson",), {})
    n_fitted, n_test = contest.fitted.n_events, int(contest.test.is_target.sum())
    rate = n_fitted / 2922
    assert row.time == pytest.approx(np.log(rate) - rate * 731 / n_test, abs=0.02)
    assert row.space == pytest.approx(-9.240, abs=0.002)


def test_rows_have_gains_or_reasons(folder):
    contest = contests.load("sanjac", folder)
    even = contests.fit("poisson", contest)
    kernels = Poisson.fit(contest.fitted, 1, region=contest.region)
    found = contests.held(contest, ("poisson", "nonesuch"), {"kernels": kernels, "again": even})
    by_name = {row.name: row for row in found}
    assert "known are" in by_name["nonesuch"].reason
    gain = by_name["kernels"].gain["poisson"]
    assert gain.low < gain.difference < gain.high
    expected = by_name["kernels"].time + by_name["kernels"].space
    expected -= by_name["poisson"].time + by_name["poisson"].space
    assert gain.difference == pytest.approx(expected)
    assert by_name["again"].gain["poisson"].difference == 0


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
