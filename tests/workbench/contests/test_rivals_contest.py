"""A contest of rivals: every forecaster has a row, whatever becomes of it, and rows are kept."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import contestants
import pytest
import yaml
from patience import HANGING
from tiny_runs import IMPORTED_FROM, TINY, environment
from typer.testing import CliRunner

from smash.errors import DataError, SpecError
from smash.workbench.cli.app import app
from smash.workbench.contests import attempt, rivals_contest
from smash.workbench.contests.contest_rows import keep, path_of, read_rows
from smash.workbench.contests.contests_page import every_row, page_of
from smash.workbench.contests.grounds import ground_of, some_of
from smash.workbench.contests.rivals_contest import Terms, held_contest
from smash.workbench.report.display_tables import to_csv

TERMS = Terms(samples=4, budget=30, scoring=60)
HERE = contestants.__name__


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return str(path)


def held(spec, folder, *names, terms=TERMS, **more):
    """Returns the rows by forecaster, all tried in this process."""
    asked = [f"{HERE}:{name}" if hasattr(contestants, name) else name for name in names]
    rows = held_contest([spec], asked, terms, folder, apart=lambda name: False, **more)
    return {row.asked.forecaster.rpartition(":")[2]: row for row in rows}


def test_every_part_and_cost_is_in_a_row_and_the_plug_in_equals_its_original(spec, tmp_path):
    rows = held(spec, tmp_path / "rows", "oracle", "climatology", "well", "hawkes")
    for row in rows.values():
        assert not row.reason
        for part in ("time", "mark_given_time", "place", "event", "unmarked"):
            assert f"{part}_log_loss" in row.figures
        assert {"crps_time", "energy_location", "n_events"} <= row.figures.keys()
        assert row.fit_seconds >= 0
        assert row.score_seconds > 0
        assert row.asked.digests.keys() == {"spec", "data"}
        assert {"commit", "python", "version_torch"} <= row.environment.keys()
        assert "host" not in row.environment
    assert rows["well"].figures == rows["climatology"].figures
    assert rows["oracle"].figures["event_log_loss"] < rows["climatology"].figures["event_log_loss"]


def test_who_fails_has_a_row_that_says_why_and_the_others_go_on(spec, tmp_path):
    names = ("ill", "drawing", "etas", "shipped", "seahorse:rmtpp_gmm", "climatology")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "seahorse.config", None)
        rows = held(spec, tmp_path / "rows", *names)
    assert "ZeroDivisionError: nothing to divide by" in rows["ill"].reason
    assert "draws alone" in rows["drawing"].lacking
    assert "crps_time" in rows["drawing"].figures
    assert "ETAS needs the magnitude" in rows["etas"].reason
    assert "no such model is kept" in rows["shipped"].reason
    assert "pip install 'smash-workbench[rivals]'" in rows["rmtpp_gmm"].reason
    assert rows["climatology"].figures


def test_the_model_that_is_suggested_for_the_data_is_trained_within_the_budget(spec, tmp_path):
    [row] = held(spec, tmp_path / "rows", "suggested", terms=replace(TERMS, budget=1)).values()
    assert not row.reason
    assert row.fit_seconds > 0
    figures = row.figures
    parts = ("time", "mark_given_time", "place")
    assert figures["event_log_loss"] == pytest.approx(sum(figures[f"{p}_log_loss"] for p in parts))


def test_the_kept_model_of_other_events_is_not_scored(spec, tmp_path):
    rows = held(spec, tmp_path / "rows", "pretrained:crime")
    assert "marks" in next(iter(rows.values())).reason


def test_rows_are_kept_until_something_that_they_depend_on_changes(spec, tmp_path, monkeypatch):
    folder, tried = tmp_path / "rows", []

    def counted(asked):
        tried.append(asked.forecaster)
        return row_of(asked)

    row_of = rivals_contest.row_of
    monkeypatch.setattr(rivals_contest, "row_of", counted)
    first = held(spec, folder, "climatology", "ill")
    said = []
    assert held(spec, folder, "climatology", "ill", say=said.append) == first
    assert len(tried) == 2
    assert sum(line.startswith("kept: ") for line in said) == 2
    held(spec, folder, "climatology", "ill", again=True)
    assert tried[2:] == [f"{HERE}:ill"]
    held(spec, folder, "climatology", terms=replace(TERMS, samples=5))
    assert tried[3:] == ["climatology"]


# An error out of a signal may come in hypothesis's callback of the garbage collector, too.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_fit_is_told_its_budget_and_one_that_goes_on_is_ended(spec, tmp_path, monkeypatch):
    held(spec, tmp_path / "before", "climatology")  # imports what the first fit would pay for
    monkeypatch.setattr(attempt, "START", 0.0)
    terms = replace(TERMS, budget=3)
    rows = held(spec, tmp_path / "rows", "budgeted", "endless", "deaf", "climatology", terms=terms)
    assert "told 3" in rows["budgeted"].reason
    for name in ("endless", "deaf"):
        assert "its fit was ended after 6 processor seconds" in rows[name].reason
    assert rows["climatology"].figures


def test_one_that_is_killed_in_its_own_process_leaves_a_row_and_the_rest(spec, tmp_path):
    names = [f"{HERE}:killed", "climatology"]
    killed, other = held_contest([spec], names, TERMS, tmp_path / "rows")
    assert "SIGKILL" in killed.reason
    assert 50 < other.megabytes < 1e5
    here = held(spec, tmp_path / "here", "climatology")["climatology"]
    assert here.figures == pytest.approx(other.figures)
    assert here.megabytes is None


def of_group(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_stopped_says_that_it_goes_on_and_leaves_nobody_behind(spec, tmp_path, number):
    rows = tmp_path / "rows"
    named = ["--data", spec, "--forecasters", f"climatology,{HERE}:endless", "--into", str(rows)]
    process = subprocess.Popen(
        [sys.executable, "-m", "smash", "contest", "rivals", *named, "--samples", "4"],
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": IMPORTED_FROM},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    end = time.monotonic() + HANGING
    while not list(rows.glob("*--climatology.json")):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=HANGING)
    assert process.returncode == 128 + number
    assert "the same command goes on from here" in said
    assert "Traceback" not in said
    while of_group(process.pid):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_what_is_not_known_is_one_line_before_any_is_tried(spec, tmp_path):
    for misspelt, meant in (("climatolgy", "climatology"), ("sugested", "suggested")):
        with pytest.raises(SpecError, match=f"did you mean {meant}"):
            held(spec, tmp_path / "rows", misspelt)
    assert not (tmp_path / "rows").exists()
    for data, said in (
        ("atlantis", "atlantis"),
        ("ladder:marks:9", "rungs from 0 to 4"),
        ("ladder:marks", "name a rung as ladder:marks:0"),
    ):
        arguments = ["contest", "rivals", "--data", data, "--into", str(tmp_path / "rows")]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert said in result.output
        assert "Traceback" not in result.output


def test_a_file_that_is_no_row_is_named(tmp_path):
    (tmp_path / "crime--me.json").write_text('{"format": 1}')
    with pytest.raises(DataError, match=r"crime--me\.json: no row of a contest"):
        read_rows(tmp_path)


def test_some_test_sequences_are_about_as_many_events_from_everywhere(spec):
    test = ground_of(spec, 0).data.test
    assert some_of(test, 0) is test
    few = some_of(test, 6)
    assert 0 < few.is_target.sum() < test.is_target.sum()


def test_the_page_and_the_table_say_what_the_rows_say(spec, tmp_path):
    rows = held(spec, tmp_path, "oracle", "climatology", "ill", "drawing")
    assert read_rows(tmp_path) == sorted(
        rows.values(), key=lambda row: path_of(row.asked, tmp_path)
    )
    page = page_of(tmp_path)
    for name, row in rows.items():
        if "unmarked_log_loss" in row.figures:
            assert f"{row.figures['unmarked_log_loss']:.3f}".replace("-", "−") in page
        else:
            assert f"{name}: " in page
    assert page.index("| oracle |") < page.index("| climatology |")
    assert "nothing to divide by" in page
    assert f"**All forecasters on {spec}.**".replace("_", "\\_") in page
    csv = to_csv(every_row(read_rows(tmp_path)))
    assert len(csv.splitlines()) == 5
    assert str(rows["oracle"].figures["crps_time"]) in csv


def test_who_knows_no_marks_has_no_nats_of_whole_events_where_others_know_them(spec, tmp_path):
    rows = held(spec, tmp_path, "climatology")
    known = rows["climatology"]
    figures = {k: v for k, v in known.figures.items() if "mark" not in k} | {
        "unmarked_log_loss": known.figures["unmarked_log_loss"]
    }
    asked = replace(known.asked, forecaster="unmarked")
    keep(replace(known, asked=asked, figures=figures), tmp_path)
    (line,) = (line for line in page_of(tmp_path).splitlines() if line.startswith("| unmarked |"))
    assert line.split("|")[5:7] == [" – ", " – "]


def test_published_rows_of_earthquakenpp_stand_beside_ours_where_a_record_is(tmp_path):
    assert "EarthquakeNPP" not in page_of(tmp_path)
    ours = [{"name": "etas", "time": 1.5, "space": -5.25, "gain": None, "reason": ""}]
    (tmp_path / "earthquakenpp-sanjac.json").write_text(json.dumps(ours))
    page = page_of(tmp_path)
    assert "| etas | **1.500** | **−5.250** | **−3.750** |" in page
    assert "ETAS, published" in page
    (tmp_path / "earthquakenpp-sanjac.json").write_text("[{}]")
    with pytest.raises(DataError, match=r"earthquakenpp-sanjac\.json"):
        page_of(tmp_path)


def test_next_days_stand_on_the_page_where_a_record_is(tmp_path):
    tests = {name: {"days": 7, "passed": 0.5, "even": 0.25} for name in ("N", "S", "M", "PL")}
    numbers = {"observed": 6.0, "forecast": 5.5, "crps": 2.125}
    record = {"paths": 10, "forecasters": {"etas": {"tests": tests, "numbers": numbers}}}
    (tmp_path / "next-days-sanjac.json").write_text(json.dumps(record))
    page = page_of(tmp_path)
    assert "| etas | 50.0 | 50.0 | 50.0 | 50.0 | 0.25 | 0.25 | 0.25 | 0.25 | 5.50 |" in page
    assert "7 days, 10 catalogues of each; 6.00 events a day came." in page
    for damaged in ("[]", '{"forecasters": {}}', '{"forecasters": {"etas": {}}}'):
        (tmp_path / "next-days-sanjac.json").write_text(damaged)
        with pytest.raises(DataError, match=r"next-days-sanjac\.json"):
            page_of(tmp_path)
