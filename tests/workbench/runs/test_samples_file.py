"""What is written to a samples file comes back, a batch a row group, and says what it is."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smash.data.events import Targets
from smash.errors import DataError
from smash.law.samples import Forecast, Samples
from smash.workbench.runs import samples_file
from smash.workbench.runs.samples_file import SamplesWriter, read_samples


def forecast(n_events, n_samples, n_marks=3, seed=0, marked_targets=True):
    rng = np.random.default_rng(seed)
    shape = (n_events, n_samples)
    mark = mode = probability = None
    if n_marks:
        mark = rng.integers(n_marks, size=shape)
        mode = rng.integers(n_marks, size=shape)
        probability = rng.dirichlet(np.ones(n_marks), n_events)
    samples = Samples(
        rng.lognormal(8, 4, size=shape), rng.normal(size=(*shape, 2)), mark, mode, probability
    )
    targets = Targets(
        sequence=np.sort(rng.integers(5, size=n_events)),
        event=rng.integers(1, 99, size=n_events),
        time=rng.uniform(0, 1e9, size=n_events),
        gap=rng.exponential(size=n_events),
        location=rng.normal(size=(n_events, 2)),
        mark=rng.integers(3, size=n_events) if marked_targets else None,
    )
    return Forecast(targets, samples)


def write(path, forecasts):
    with SamplesWriter(path, {"run_id": "abc", "denoise": "tweedie"}) as writer:
        for each in forecasts:
            writer.write(each)


@pytest.mark.parametrize("origin", [0.0, 5e6])
def test_places_far_from_zero_keep_their_digits(tmp_path, origin):
    """Metres of a national grid: 32 bits would round them to half a metre."""
    parts = [forecast(3, 50, seed=seed) for seed in range(2)]
    for part in parts:
        part.samples.location[:] = 1000 * part.samples.location + origin
    write(tmp_path / "samples.parquet", parts)
    _, samples = read_samples(tmp_path / "samples.parquet")
    expected = np.concatenate([part.samples.location for part in parts])
    np.testing.assert_allclose(samples.location, expected, rtol=0, atol=1e-3)


def assert_equal_targets(actual, expected):
    for name in ("sequence", "event", "time", "gap", "location", "mark"):
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name))


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    n_samples=st.integers(1, 7),
    n_marks=st.sampled_from([0, 2, 5]),
)
def test_what_is_written_comes_back(tmp_path_factory, sizes, n_samples, n_marks):
    path = tmp_path_factory.mktemp("samples") / "samples.parquet"
    parts = [forecast(n, n_samples, n_marks, seed) for seed, n in enumerate(sizes)]
    write(path, parts)
    targets, samples = read_samples(path)
    assert pq.ParquetFile(path).num_row_groups == len(sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    for part, start, stop in zip(parts, starts, starts[1:], strict=False):
        rows = slice(start, stop)
        assert_equal_targets(targets[rows], part.targets)
        np.testing.assert_allclose(samples.gap[rows], part.samples.gap, rtol=1e-7)
        np.testing.assert_allclose(samples.location[rows], part.samples.location, rtol=1e-7)
        if n_marks:
            np.testing.assert_array_equal(samples.mark[rows], part.samples.mark)
            np.testing.assert_allclose(
                samples.mark_probability[rows], part.samples.mark_probability, rtol=1e-6
            )
    assert (samples.mark is None) == (samples.mark_probability is None) == (n_marks == 0)


def test_unmarked_data_have_no_marks(tmp_path):
    write(tmp_path / "samples.parquet", [forecast(3, 4, n_marks=0, marked_targets=False)])
    targets, samples = read_samples(tmp_path / "samples.parquet")
    assert targets.mark is None
    assert samples.mark is None
    assert not [
        name for name in pq.read_schema(tmp_path / "samples.parquet").names if "mark" in name
    ]


def test_the_columns_are_the_documented_ones_and_the_file_says_where_it_is_from(tmp_path):
    write(tmp_path / "samples.parquet", [forecast(2, 3)])
    schema = pq.read_schema(tmp_path / "samples.parquet")
    documented = [line for line in samples_file.__doc__.splitlines() if line.startswith("| ")][1:]
    names = ", ".join(line.split("|")[1].strip() for line in documented)
    assert ", ".join(schema.names) == names
    assert schema.metadata[b"run_id"] == b"abc"
    assert schema.metadata[b"denoise"] == b"tweedie"


def test_a_file_left_in_the_middle_of_a_test_can_be_read(tmp_path):
    path = tmp_path / "samples.parquet"
    first = forecast(4, 3)

    def stop_after_the_first():
        yield first
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, stop_after_the_first())
    targets, _ = read_samples(path)
    assert_equal_targets(targets, first.targets)


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and more", "other columns"])
def test_what_is_no_file_of_samples_is_named(tmp_path, content):
    path = tmp_path / "samples.parquet"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        pq.write_table(pq.read_table(whole(tmp_path)).drop_columns(["sample_x"]), path)
    with pytest.raises(DataError, match=r"samples\.parquet"):
        read_samples(path)


def whole(folder):
    write(folder / "whole.parquet", [forecast(2, 3)])
    return folder / "whole.parquet"


def test_places_far_from_their_origin_keep_their_millimetres(tmp_path):
    """A northing in metres has seven digits before the point, as many as a float has in all."""
    one = forecast(2, 3)
    far = replace(one, samples=replace(one.samples, location=one.samples.location + 4641084.673))
    write(tmp_path / "samples.parquet", [far])
    _, samples = read_samples(tmp_path / "samples.parquet")
    np.testing.assert_array_equal(samples.location, far.samples.location)
