"""Own tables: read in any of their units, split so that the future trains nothing, ready to run."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from smash.catalogue.datasets import load_dataset
from smash.data.catalogues import read_catalogue
from smash.data.events import build_sequences
from smash.data.rows import cut, edge_names
from smash.data.suggestion import (
    MOST_EPOCHS,
    PIECE,
    STEPS,
    STEPS_OF_WINDOWS,
    epochs,
    recent_events,
    suggest,
)
from smash.data.windows import cut_windows, default_length, window_table
from smash.errors import DataError
from smash.settings import Columns, DataSettings
from smash.workbench.cli.data import app
from smash.workbench.specs.experiment_spec import load_spec
from smash.workbench.specs.idle_settings import idle_settings

COLUMNS = Columns("when", "lon", "lat", "kind")


def quakes(n=400, seed=0, **columns) -> pd.DataFrame:
    numbers = np.random.default_rng(seed)
    hours = np.cumsum(numbers.exponential(3.0, n)).round(3)
    events = {
        "when": (pd.Timestamp("2024-04-01T05:00:00Z") + pd.to_timedelta(hours, unit="h")).strftime(
            "%Y-%m-%dT%H:%M:%S.%fZ"
        ),
        "lon": numbers.normal(120, 3, n),
        "lat": numbers.normal(0, 3, n),
        "kind": numbers.choice(["tremor", "blast"], n),
        "mag": numbers.exponential(0.7, n).round(1) + 4,
    }
    return pd.DataFrame(events | columns)


def saved(folder, table) -> str:
    table.to_csv(folder / "mine.csv", index=False)
    return folder / "mine.csv"


def test_times_come_back_as_they_were(tmp_path):
    table = quakes()
    catalogue = read_catalogue(saved(tmp_path, table), COLUMNS)
    assert catalogue.clock.unit == "days"
    assert catalogue.clock.origin == "2024-04-01T00:00:00+00:00"
    again = catalogue.clock.times(catalogue.time)
    assert (abs(again - pd.to_datetime(table["when"])) <= pd.Timedelta("1us")).all()


@pytest.mark.parametrize("unit", ["seconds", "minutes", "days", "weeks"])
def test_the_unit_of_time_may_be_chosen(tmp_path, unit):
    path = saved(tmp_path, quakes())
    hours, chosen = (read_catalogue(path, COLUMNS, time_unit=u) for u in ("hours", unit))
    assert chosen.clock.duration("1h") * hours.time == pytest.approx(chosen.time)


def test_kinds_keep_their_names_and_numbers_are_cut(tmp_path):
    table = quakes()
    path = saved(tmp_path, table)
    catalogue = read_catalogue(path, COLUMNS)
    names = np.array(catalogue.mark_names)[catalogue.mark]
    assert names.tolist() == table["kind"].tolist()
    magnitudes = read_catalogue(path, Columns("when", "lon", "lat", "mag"), edges=(4.5, 5.0))
    assert magnitudes.mark_names == edge_names("mag", (4.5, 5.0))
    assert magnitudes.mark.tolist() == cut(table["mag"].to_numpy(), (4.5, 5.0)).tolist()
    assert cut(np.array([4.4, 4.5, 4.9, 5.0]), (4.5, 5.0)).tolist() == [0, 1, 1, 2]


def test_rows_out_of_order_are_sorted_and_said(tmp_path):
    table = quakes()
    backwards = read_catalogue(saved(tmp_path, table[::-1]), COLUMNS, project=False)
    forwards = read_catalogue(saved(tmp_path, table), COLUMNS, project=False)
    assert backwards.time.tolist() == forwards.time.tolist()
    assert backwards.mark.tolist() == forwards.mark.tolist()
    assert "sorted by time" in backwards.notes[0]
    assert forwards.notes == ()


WRONG = {
    r"mine\.csv, row 5: column 'lat' is empty": {"lat": [0, 1, 2, None] + [0] * 396},
    "latitude is 120, beyond 90": {"lat": [120.0] * 400},
    r"row 3: column 'when' holds 'then', which is neither a number nor an ISO 8601 timestamp": {
        "when": ["2024-04-01T00:00Z", "then"] * 200
    },
    "'2024-04-01T00:00Z' in row 2, '2024-04-01T00:00' in row 3; write all with a zone": {
        "when": ["2024-04-01T00:00Z", "2024-04-01T00:00"] * 200
    },
    "row 3: column 'when' is empty": {"when": ["2024-04-01T00:00Z", None] * 200},
    r"row 3: the mark \(column 'kind'\) is missing": {"kind": ["a", None] * 200},
    "400 different marks .* cut": {"kind": np.arange(400) / 7},
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_row_is_named(tmp_path, message):
    with pytest.raises(DataError, match=message):
        read_catalogue(saved(tmp_path, quakes(**WRONG[message])), COLUMNS)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.3])
def test_the_future_never_trains_the_past(tmp_path, share):
    catalogue = read_catalogue(saved(tmp_path, quakes()), COLUMNS)
    length = default_length(catalogue)
    windows = cut_windows(catalogue, length, share * length)
    latest = -np.inf
    for split in ("train", "validation", "test"):
        rows = [r for r, s in zip(windows.rows, windows.split, strict=True) if s == split]
        events = np.unique(np.concatenate(rows))
        assert catalogue.time[events[0]] > latest
        latest = catalogue.time[events[-1]]
    for rows, (start, end) in zip(windows.rows, windows.bounds, strict=True):
        assert (catalogue.time[rows] >= start).all()
        if end < catalogue.time[-1]:
            assert (catalogue.time[rows] < end).all()
            assert end - start == pytest.approx(length)
    assert windows.bounds[-1, 1] == catalogue.time[-1]
    if share == 1.0:
        every = np.concatenate(windows.rows)
        assert every.tolist() == list(range(len(catalogue)))


def test_own_sequences_are_kept_whole_and_in_order(tmp_path):
    table = quakes(trip=np.repeat(np.arange(40)[::-1], 10))
    columns = Columns("when", "lon", "lat", "kind", "trip")
    catalogue = read_catalogue(saved(tmp_path, table), columns)
    windows = cut_windows(catalogue)
    assert len(windows) == 40
    assert all(len(rows) == 10 for rows in windows.rows)
    starts = [catalogue.time[rows[0]] for rows in windows.rows]
    assert starts == sorted(starts)
    assert window_table(catalogue, windows)["split"].value_counts().to_dict() == {
        "train": 280,
        "validation": 60,
        "test": 60,
    }


def test_too_few_windows_are_refused(tmp_path):
    with pytest.raises(DataError, match="take shorter windows"):
        cut_windows(read_catalogue(saved(tmp_path, quakes()), COLUMNS), length=400.0)


def invoke(*arguments):
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def flags(out):
    return ("--time", "when", "--x", "lon", "--y", "lat", "--mark", "kind", "--out", out)


def test_check_writes_windows_and_a_spec_that_loads(tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    done = invoke(saved(tmp_path, quakes()), *flags(out))
    assert done.exit_code == 0, done.output
    assert "splits" in done.output
    assert {path.name for path in out.iterdir()} == {"events.parquet", "spec.yaml", "notes.txt"}
    spec = load_spec(out / "spec.yaml")
    dataset = load_dataset(spec.data)
    assert dataset.mark_names == ("blast", "tremor")
    assert dataset.time_origin.startswith("2024-04-01")
    assert dataset.location_names == ("east", "north")
    assert dataset.location_unit == "km"


def test_the_floor_follows_the_units(tmp_path):
    def suggested(unit):
        chosen = ("--time-unit", unit, "--window", "50h")
        assert invoke(path, *flags(tmp_path / unit), *chosen).exit_code == 0
        return suggest(load_dataset(load_spec(tmp_path / unit / "spec.yaml").data))

    path = saved(tmp_path, quakes())
    hours, seconds = suggested("hours"), suggested("seconds")
    assert seconds.floor == pytest.approx(3600 * hours.floor, rel=0.01)


def test_places_point_at_past_events_and_no_setting_is_idle(tmp_path):
    assert invoke(saved(tmp_path, quakes()), *flags(tmp_path / "mine")).exit_code == 0
    spec = load_spec(tmp_path / "mine" / "spec.yaml")
    longest = load_dataset(spec.data).train.lengths.max()
    assert (spec.model.location_law, spec.model.recent_events) == ("history", min(64, longest))
    assert spec.baselines == ("climatology", "mixture")
    assert not idle_settings(spec)


def test_a_daily_rhythm_is_told_to_the_model(tmp_path):
    rng = np.random.default_rng(0)
    hours = np.sort(rng.uniform(0, 24 * 200, 4000))
    kept = rng.uniform(size=len(hours)) < 0.5 + 0.4 * np.sin(2 * np.pi * hours / 24)
    when = pd.Timestamp("2024-04-01") + pd.to_timedelta(hours[kept], unit="h")
    places = rng.normal(size=(kept.sum(), 2)) / 10 + [10, 45]
    table = pd.DataFrame({"when": when, "lon": places[:, 0], "lat": places[:, 1]})
    flags = ("--time", "when", "--x", "lon", "--y", "lat", "--out", str(tmp_path / "mine"))
    done = invoke(saved(tmp_path, table), *flags, "--time-unit", "hours", "--window", "240h")
    assert done.exit_code == 0, done.output
    spec = load_spec(tmp_path / "mine" / "spec.yaml")
    assert spec.model.periods == (24.0,)
    assert not idle_settings(spec)
    steps = spec.training.total_epochs * len(load_dataset(spec.data).train)
    assert steps // spec.training.batch_size <= STEPS_OF_WINDOWS + spec.training.total_epochs


def test_a_wrong_table_writes_nothing(tmp_path):
    done = invoke(saved(tmp_path, quakes(lat=[None] * 400)), *flags(tmp_path / "mine"))
    assert done.exit_code == 2
    assert "error:" in done.output
    assert not (tmp_path / "mine").exists()
    assert invoke(tmp_path / "none.csv", *flags(tmp_path / "mine")).exit_code == 2
    assert invoke(saved(tmp_path, quakes()), *flags(tmp_path), "--edges", "a").exit_code == 2
    assert invoke(saved(tmp_path, quakes()), *flags(tmp_path), "--window", "soon").exit_code == 2


# --- messages, and what a spec reads alike -------------------------------------------------------


def check(folder, table, *more):
    """Returns what `check` did with a table, and the folder it wrote to."""
    out = folder / "out"
    return invoke(saved(folder, table), *flags(out), *more), out


def test_a_stray_year_is_named_with_its_row_and_the_span(tmp_path):
    table = quakes()
    table.loc[200, "when"] = "1900-01-01T00:00:00Z"
    done, _ = check(tmp_path, table)
    said = " ".join(done.output.split())
    assert done.exit_code == 2
    assert f"{tmp_path / 'mine.csv'}, row 202: time 1900-01-01 00:00:00 UTC lies" in said
    assert "mend or drop the row, else set --window" in said
    assert "where the other 399 events span" in said


CONSTANT = {
    "every event, as of a clock that ticks": pd.date_range("2024-01-01", periods=400, freq="h"),
    "as dates without a time of day have": pd.to_datetime("2024-01-01")
    + pd.to_timedelta(np.arange(400) // 20, unit="D"),
}


@pytest.mark.parametrize("message", CONSTANT)
def test_times_that_say_nothing_are_refused_with_the_cause(tmp_path, message):
    when = CONSTANT[message].strftime("%Y-%m-%dT%H:%M" if "ticks" in message else "%Y-%m-%d")
    done, out = check(tmp_path, quakes(when=when))
    assert done.exit_code == 2
    assert str(tmp_path / "mine.csv") in done.output
    assert ".check-" not in done.output
    assert message in " ".join(done.output.split())
    assert not out.exists()


def test_kinds_are_names_with_no_blanks_and_none_of_them_is_missing(tmp_path):
    kinds = ["NA", "None ", " nan", "null"] * 100
    done, out = check(tmp_path, quakes(kind=kinds))
    assert done.exit_code == 0, done.output
    spec = load_spec(out / "spec.yaml")
    assert load_dataset(spec.data).mark_names == ("NA", "None", "nan", "null")
    assert set(pd.read_parquet(out / "events.parquet")["mark"]) == {"NA", "None", "nan", "null"}
    assert spec.data.time_column == "when"
    assert spec.data.mark_column == "kind"


def test_rows_without_a_sequence_are_refused_by_row(tmp_path):
    trips = [str(i // 10) if i % 8 else "" for i in range(400)]
    done, _ = check(tmp_path, quakes(trip=trips), "--sequence", "trip")
    assert done.exit_code == 2
    assert "mine.csv, row 2: column 'trip' is empty (50 rows are so)" in done.output


@pytest.mark.parametrize("form", ["semicolons.csv", "packed.csv.gz", "table.parquet"])
def test_a_spec_reads_a_table_as_check_does(tmp_path, form):
    """Timestamps, names and the order of rows, from files of any kind."""
    table, path = quakes(), tmp_path / form
    parts = ["train"] * 200 + ["val"] * 100 + ["test"] * 100
    table = table.assign(part=parts, mag=table["mag"].astype(str))[::-1]
    if form == "table.parquet":
        table.assign(when=pd.to_datetime(table["when"])).to_parquet(path)
    elif form == "semicolons.csv":
        table.to_csv(path, index=False, sep=";", decimal=",")
    else:
        table.to_csv(path, index=False)
    columns = Columns("when", "lon", "lat", "kind", split="part")
    dataset = load_dataset(DataSettings(name="mine", path=str(path), columns=columns))
    catalogue = read_catalogue(saved(tmp_path, quakes()), COLUMNS)
    time = np.concatenate([events.time for _, events in dataset.splits()])
    np.testing.assert_array_equal(time, catalogue.time)
    assert dataset.time_origin == catalogue.clock.origin
    assert dataset.time_unit == catalogue.clock.unit
    assert dataset.mark_names == catalogue.mark_names
    assert dataset.columns == Columns("when", "lon", "lat", "kind")
    assert any("sorted by time" in warning for warning in dataset.warnings)
    marks = np.concatenate([events.mark for _, events in dataset.splits()])
    np.testing.assert_array_equal(marks, catalogue.mark)


def test_splits_with_and_without_zones_are_refused(tmp_path):
    paths = {}
    for split in ("train", "validation", "test"):
        table = quakes()
        if split == "test":
            table["when"] = table["when"].str.rstrip("Z")
        paths[split] = str(tmp_path / f"{split}.csv")
        table.to_csv(paths[split], index=False)
    with pytest.raises(DataError, match=r"row 2 has timestamps with a zone .*test\.csv, row 2"):
        load_dataset(DataSettings(name="mine", columns=COLUMNS, **paths))


def test_numbers_from_0_are_the_names_of_a_spec_in_their_order(tmp_path):
    """As tables were written before marks were written by name; none of the names is a number."""
    table = quakes(kind=np.arange(400) % 2, part=["train", "val", "test", "train"] * 100)
    columns = Columns("when", "lon", "lat", "kind", split="part")
    settings = DataSettings("mine", str(saved(tmp_path, table)), columns=columns)
    named = load_dataset(replace(settings, mark_names=("tremor", "blast")))
    assert set(named.test.mark) == {0}
    assert named.mark_names == ("tremor", "blast")
    assert load_dataset(settings).mark_names == ("0", "1")
    with pytest.raises(DataError, match="row 2: mark '0' is unknown; known are '1', '2'"):
        load_dataset(replace(settings, mark_names=("1", "2")))


def test_a_catalogue_with_magnitudes_is_to_be_held_against_its_rivals(tmp_path):
    path, out = saved(tmp_path, quakes(n=1500, kind="quake")), tmp_path / "mine"
    asked = ["--time", "when", "--x", "lon", "--y", "lat", "--magnitude", "mag"]
    dates = ["--targets-from", "2024-05-01", "--split", "2024-08-01,2024-09-01"]
    done = invoke(path, "--out", out, *asked, *dates, "--edges", "4.5,5.5")
    assert done.exit_code == 0, done.output
    spec = load_spec(out / "spec.yaml")
    assert spec.baselines == ("poisson", "etas", "mixture")
    assert spec.pool == ("model", "poisson", "etas")
    assert spec.pool_weights == "stacking_by_part"
    assert spec.model.magnitudes
    assert (spec.model.time_law, spec.model.location_law) == ("mixture", "history")
    assert spec.model.mark_in_location
    train = load_dataset(spec.data).train
    pieces = -(-int(train.is_target.sum()) // spec.training.piece_events)
    steps = pieces * spec.training.total_epochs
    assert steps == pytest.approx(STEPS, rel=0.1) or spec.training.total_epochs == MOST_EPOCHS
    assert spec.training.piece_history == spec.model.recent_events == min(500, train.n_events)
    assert load_dataset(spec.data).n_marks == 3
    assert load_dataset(spec.data).location_unit == "km"


def test_a_catalogue_that_nobody_has_cut_is_told_where_it_looks_complete(tmp_path):
    path = saved(tmp_path, quakes(n=1500))
    asked = ["--time", "when", "--x", "lon", "--y", "lat", "--magnitude", "mag"]
    dates = ["--targets-from", "2024-05-01", "--split", "2024-08-01,2024-09-01"]
    done = invoke(path, "--out", tmp_path / "first", *asked, *dates, "--edges", "4.5,5.5")
    found = re.search(r"--threshold (\S+) leaves these out", done.output)
    assert found, done.output
    threshold = float(found[1])
    again = ["--out", tmp_path / "second", *asked, *dates, "--threshold", str(threshold)]
    done = invoke(path, *again)
    assert done.exit_code == 0, done.output
    assert "leaves these out" not in done.output
    done = invoke(path, *again, "--edges", f"{threshold},6")
    assert done.exit_code == 2
    assert f"--edges: {threshold:g} is no more than --threshold" in done.output


def test_training_takes_as_many_steps_however_long_the_catalogue_is():
    def of_lengths(lengths):
        n = sum(lengths)
        time = np.concatenate([np.arange(length, dtype=float) for length in lengths])
        return build_sequences(time, np.zeros((n, 2)), None, lengths, "made up")

    assert epochs(of_lengths([100 * PIECE + 1])) == -(-STEPS // 100)
    assert epochs(of_lengths([PIECE + 1] * 50)) == -(-STEPS // 50)
    assert epochs(of_lengths([20])) == MOST_EPOCHS
    assert recent_events(of_lengths([20, 30]), 500) == 30
    assert recent_events(of_lengths([3000]), 500) == 500
