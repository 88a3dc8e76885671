"""Magnitudes and histories of events: read, kept on the way, cut into periods, audited."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ks_2samp

from smash.baselines.past_events import rows_before_targets, target_groups
from smash.data.audit import audit, render
from smash.data.batching import ScaledSequences
from smash.data.catalogues import read_catalogue
from smash.data.completeness import b_value, completeness
from smash.data.dataset import build_dataset
from smash.data.events import build_sequences
from smash.data.geojson import read_polygon
from smash.data.groups import joined
from smash.data.periods import cut_periods
from smash.data.readers import own_splits
from smash.data.region import Region
from smash.data.scaling import fit_scaler
from smash.data.variation.folding import folded
from smash.data.variation.thinning import thinned
from smash.errors import DataError
from smash.law.magnitudes import GutenbergRichter
from smash.settings import Columns, DataSettings, ScalingSettings

COLUMNS = Columns(magnitude="m", history="before", sequence="s")


def sequences(n: int = 40, history: int = 6):
    numbers = np.random.default_rng(n)
    time = np.cumsum(numbers.exponential(1.0, n))
    both = np.concatenate([time, time])
    size = 1 + numbers.exponential(0.4, 2 * n)
    place = numbers.normal(size=(2 * n, 2))
    return build_sequences(
        both, place, None, [n, n], "made up", magnitude=size, history=[history, 1]
    )


def catalogue_file(folder, n: int = 400):
    numbers = np.random.default_rng(0)
    day = np.sort(numbers.uniform(0, 3000, n))
    frame = pd.DataFrame(
        {
            "time": (pd.Timestamp("2008-01-01") + pd.to_timedelta(day, unit="D")).astype(str),
            "longitude": numbers.uniform(-117.2, -116, n),
            "latitude": numbers.uniform(33, 34, n),
            "m": np.round(0.8 + numbers.exponential(0.4, n), 2),
        }
    )
    frame.iloc[::-1].to_csv(folder / "newest_first.csv", index=False)
    return folder / "newest_first.csv"


def test_histories_are_no_targets_and_magnitudes_go_along():
    events = sequences()
    assert events.is_target.sum() == 34 + 39
    targets = events.targets()
    assert (targets.event[:34] == np.arange(6, 40)).all()
    np.testing.assert_array_equal(targets.magnitude, events.magnitude[events.is_target])
    other = events.select([1, 0])
    np.testing.assert_array_equal(other.n_history, [1, 6])
    np.testing.assert_array_equal(other.magnitude[:40], events.magnitude[40:])
    both = joined([events, other])
    np.testing.assert_array_equal(both.n_history, [6, 1, 1, 6])
    assert len(both.magnitude) == 160
    groups = list(target_groups(events, 10))
    assert sum(len(group) for group in groups) == 73
    last = np.concatenate([group.last for group in groups])
    np.testing.assert_array_equal(last, rows_before_targets(events))


def test_what_an_epoch_sees_keeps_its_histories():
    events = sequences(400, 100)
    few = thinned(events, 0.5, None, torch.Generator().manual_seed(0))
    left = np.isin(few.time[: few.lengths[0]], events.time[:100]).sum()
    assert few.n_history[0] == left < 100
    assert np.isin(few.magnitude, events.magnitude).all()
    shown = folded(events, 1.0, 24.0, torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(shown.n_history, events.n_history)


def test_batches_forecast_targets_alone():
    events = sequences()
    scaled = ScaledSequences(events, fit_scaler([events], ScalingSettings()))
    batch = scaled.batch([0, 1])
    assert batch.n_targets == 73
    assert len(batch.targets()[0]) == 73
    assert next(batch.parts(1)).n_targets == 34
    plain = replace(events, history=None)
    assert ScaledSequences(plain, fit_scaler([plain], ScalingSettings())).batch([0]).n_targets == 39


def test_tables_have_columns_of_magnitudes_and_histories(tmp_path):
    events = sequences()
    frame = pd.DataFrame(
        {
            "s": events.sequence,
            "time": events.time,
            "x": events.location[:, 0],
            "y": events.location[:, 1],
            "m": events.magnitude,
            "before": ~events.is_target,
        }
    )
    path = tmp_path / "events.csv"
    frame.to_csv(path, index=False)
    read = own_splits({"train": path}, DataSettings(columns=COLUMNS)).events["train"]
    np.testing.assert_array_equal(read.is_target, events.is_target)
    np.testing.assert_allclose(read.magnitude, events.magnitude)
    np.savez(
        tmp_path / "events.npz",
        time=events.time,
        location=events.location,
        lengths=events.lengths,
        magnitude=events.magnitude,
        history=events.n_history,
    )
    stored = own_splits({"train": tmp_path / "events.npz"}, DataSettings()).events["train"]
    np.testing.assert_array_equal(stored.is_target, events.is_target)
    np.testing.assert_allclose(stored.magnitude, events.magnitude)
    frame.loc[20, "before"] = True
    frame.to_csv(path, index=False)
    with pytest.raises(DataError, match="row 22: column 'before' says true after a false"):
        own_splits({"train": path}, DataSettings(columns=COLUMNS))
    frame.assign(before="maybe").to_csv(path, index=False)
    with pytest.raises(DataError, match="'maybe'; give true"):
        own_splits({"train": path}, DataSettings(columns=COLUMNS))
    frame.assign(before=False, m=np.nan).to_csv(path, index=False)
    with pytest.raises(DataError, match="column 'm' is empty"):
        own_splits({"train": path}, DataSettings(columns=COLUMNS))


def test_a_catalogue_in_periods_reaches_back_to_its_first_event(tmp_path):
    path = catalogue_file(tmp_path)
    columns = Columns(x="longitude", y="latitude", magnitude="m")
    corners = np.array([[-117.0, 33.0], [-116.0, 33.0], [-116.0, 34.0], [-117.0, 34.0]])
    catalogue = read_catalogue(path, columns, threshold=1.0, region=corners, project=True)
    assert catalogue.magnitude.min() >= 1.0
    assert [part.what for part in catalogue.left_out] == [
        "events below 1",
        "events beyond the region",
    ]
    windows = cut_periods(catalogue, "2014-01-01,2015-01-01", "2009-01-01")
    first, second = (np.searchsorted(catalogue.time, day) for day in (2192.0, 2557.0))
    assert abs(len(windows.rows[0]) - first) <= 1
    np.testing.assert_array_equal(windows.history[1:], [len(rows) for rows in windows.rows[:2]])
    assert len(windows.rows[2]) == len(catalogue)
    assert (windows.bounds[:, 0] == windows.bounds[0, 0]).all()
    assert second <= windows.history[2] + 1
    whole = cut_periods(catalogue, "2014-01-01,2015-01-01", "2009-01-01", midnight=True)
    assert windows.bounds[0, 0] == catalogue.time[0] > whole.bounds[0, 0] == 0
    np.testing.assert_array_equal(whole.bounds[:, 1], windows.bounds[:, 1])
    for split, start, message in (
        (None, "2009-01-01", "say too when validation and test begin"),
        ("2014-01-01,2015-01-01", "2016-01-01", "comes after validation begins"),
        ("2014-01-01,2014-01-02", "2009-01-01", "events for validation, and 10 are needed"),
        ("2014-01-01,2015-01-01", "soon", "--targets-from soon"),
    ):
        with pytest.raises(DataError, match=message):
            cut_periods(catalogue, split, start)
    with pytest.raises(DataError, match="needs magnitudes; name their column"):
        read_catalogue(path, replace(columns, magnitude=None), threshold=1.0)
    with pytest.raises(DataError, match=r"all \d+ rows are events below 9"):
        read_catalogue(path, columns, threshold=9.0)
    with pytest.raises(DataError, match=r"all \d+ rows are events beyond the region"):
        read_catalogue(path, columns, region=corners + 50)


def test_polygons_are_read_from_geojson(tmp_path):
    ring = [[0, 0], [2, 0], [2, 1], [0, 1], [0, 0]]
    polygon = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {}, "geometry": polygon}
    path = tmp_path / "region.json"
    for found in (polygon, feature, {"type": "FeatureCollection", "features": [feature]}):
        path.write_text(json.dumps(found))
        assert Region(read_polygon(path)).area == 2
    for wrong, message in (
        ({"type": "Point", "coordinates": [0, 0]}, "holds 0 polygons"),
        ({"type": "Polygon", "coordinates": [ring, ring]}, "2 rings"),
        ({"type": "Polygon", "coordinates": [[["a", "b"]]]}, "cannot be read as GeoJSON"),
        ([], "cannot be read as GeoJSON"),
    ):
        path.write_text(json.dumps(wrong))
        with pytest.raises(DataError, match=message):
            read_polygon(path)
    with pytest.raises(DataError, match="no area"):
        Region(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]))


def test_completeness_and_b_are_recovered():
    numbers = np.random.default_rng(1)
    magnitude = 0.5 + numbers.exponential(1 / (np.log(10) * 1.1), 60_000)
    seen = magnitude[numbers.random(60_000) < np.clip((magnitude - 0.5) / 0.5, 0, 1)]
    found = completeness(np.round(seen, 2))
    assert 0.9 <= found.magnitude <= 1.2
    assert found.b == pytest.approx(1.1, abs=4 * found.error)
    b, error = b_value(np.round(magnitude, 1), 0.6, 0.1)
    assert b == pytest.approx(1.1, abs=4 * error)
    assert completeness(magnitude[:10]) is None
    assert np.isnan(b_value(magnitude, 90.0)[0])


def test_an_audit_says_what_it_knows_of_magnitudes():
    data = build_dataset("made up", sequences(60), sequences(50), sequences(40))
    found = audit(data)
    assert found["magnitudes"]["train"]["b"] > 0
    assert render(found)
    plain = replace(data, train=replace(data.train, magnitude=None))
    assert audit(plain)["magnitudes"]["train"] == {}
    assert data.digest != plain.digest


def test_where_marks_are_classes_draws_are_of_them():
    law = GutenbergRichter(1.0, 2.0, edges=(2.5, 3.0))
    mark = np.random.default_rng(0).integers(3, size=(40, 50))
    drawn = law.draw(mark.shape, torch.Generator().manual_seed(0), mark)
    assert (np.searchsorted(law.edges, drawn, side="right") == mark).all()
    free = law.draw(mark.shape, torch.Generator().manual_seed(0))
    assert (free >= 2.0).all()
    assert (np.searchsorted(law.edges, free, side="right") != mark).any()


def test_magnitudes_of_classes_are_those_of_the_law_within_them():
    law, numbers, edges = GutenbergRichter(0.9, 1.0), np.random.default_rng(0), (1.5, 2.5)
    every = law.drawn((20_000,), numbers)
    mark = np.searchsorted(edges, every, side="right")
    found = law.of_classes(mark, edges, numbers)
    np.testing.assert_array_equal(np.searchsorted(edges, found, side="right"), mark)
    for k in range(3):
        assert ks_2samp(found[mark == k], every[mark == k]).pvalue > 1e-3
