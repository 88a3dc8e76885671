"""Values recorded in cells: found, spread, and brought back exactly."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import random_sequences

from smash.data.batching import ScaledSequences
from smash.data.events import EventSequences, build_sequences
from smash.data.resolution import gap_cells, least_distance, location_cell
from smash.data.scaling import Scaler, fit_scaler
from smash.settings import ScalingSettings

AUTO = ScalingSettings(resolution="auto", location_resolution="auto")
MINUTE = 1 / 60


def on_a_clock(seed: int = 0, tick: float = MINUTE, lengths=(60, 80, 100)) -> EventSequences:
    """Sequences whose times are rounded down to a clock's ticks, places to whole numbers."""
    rng = np.random.default_rng(seed)
    times = [np.floor(np.cumsum(rng.exponential(0.3, n)) / tick) * tick for n in lengths]
    places = rng.integers(0, 41, size=(sum(lengths), 2)).astype(float)
    marks = rng.integers(3, size=sum(lengths))
    return build_sequences(np.concatenate(times), places, marks, list(lengths), "clock")


def with_zeros(seed: int = 0) -> EventSequences:
    """Sequences of continuous gaps, a fifth of which are recorded as zero."""
    rng = np.random.default_rng(seed)
    gap = rng.lognormal(size=400) * (rng.random(400) > 0.2)
    return build_sequences(np.cumsum(gap), rng.normal(size=(400, 2)), None, [400], "zeros")


unit = st.floats(0, 1, exclude_max=True).filter(lambda p: p < 1 - 1e-6)


@given(st.lists(st.tuples(st.integers(0, 10**5), unit), min_size=1), st.booleans(), st.booleans())
def test_a_gap_of_whole_ticks_comes_back_from_anywhere_in_its_cell(values, log, lattice):
    ticks, position = (np.array(column) for column in zip(*values, strict=True))
    if not lattice:  # zeros alone have a cell
        ticks, position = ticks * (ticks > 2), position
    s = Scaler(log, 1e-4, -4.0, 9.0, (0.0, 0.0), (1.0, 1.0), MINUTE, lattice)
    back = s.unscale_gap(s.scale_gap(ticks * MINUTE, position))
    if lattice:
        np.testing.assert_array_equal(back, ticks * MINUTE)
    else:
        np.testing.assert_allclose(back, ticks * MINUTE, rtol=1e-9)
        np.testing.assert_array_equal(back == 0, ticks == 0)


@given(st.lists(st.tuples(st.integers(-500, 500), unit), min_size=1))
def test_a_place_on_a_lattice_comes_back_from_anywhere_in_its_cell(values):
    place, position = (np.array(column) for column in zip(*values, strict=True))
    position = np.clip(position, 1e-6, None)
    s = Scaler(True, 1e-4, 0.0, 1.0, (-3.5, 0.0), (9.5, 1.0), location_cell=(1.0, 0.0))
    location, positions = np.stack([place, place], 1), np.stack([position, position], 1)
    back = s.unscale_location(s.scale_location(location, positions))
    np.testing.assert_array_equal(back[:, 0], place)  # a lattice
    np.testing.assert_allclose(back[:, 1], place, atol=1e-9)  # continuous


def test_a_clock_and_a_lattice_are_found():
    for gap in (on_a_clock().gap, np.array([2, 5, 3, 2]) * MINUTE):
        cells = gap_cells(gap, "auto")
        assert cells.lattice
        assert cells.width == pytest.approx(MINUTE, rel=1e-9)
    assert location_cell(on_a_clock().location[:, 0], "auto") == 1.0


def test_continuous_values_have_no_cells_and_zeros_alone_a_narrow_one():
    sequences = random_sequences([300])
    assert gap_cells(sequences.gap[1:], "auto") == (0.0, False)
    assert location_cell(sequences.location[:, 0], "auto") == 0.0
    gap = with_zeros().gap[1:]
    cells = gap_cells(gap, "auto")
    assert not cells.lattice
    assert 0 < np.mean(gap[gap > 0] < cells.width) < 0.01


def test_a_given_resolution_is_taken_at_its_word():
    gap = on_a_clock().gap
    assert gap_cells(gap, 2 * MINUTE) == (2 * MINUTE, False)
    assert gap_cells(gap, MINUTE) == (MINUTE, True)
    assert gap_cells(gap, "none") == (0.0, False)
    assert location_cell(on_a_clock().location[:, 0], 5.0) == 5.0


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("make", [on_a_clock, with_zeros])
def test_spread_targets_stay_in_the_unit_box_and_in_their_cells(make, log):
    sequences = make()
    settings = ScalingSettings(log, resolution="auto", location_resolution="auto")
    scaler = fit_scaler([sequences], settings)
    scaled = ScaledSequences(sequences, scaler)
    batch = scaled.batch(list(range(len(sequences))))
    generator, expected = torch.Generator().manual_seed(0), sequences.targets()
    drawn = []
    for _ in range(2):
        scaled.spread(generator)
        z, _ = scaled.batch(list(range(len(sequences)))).targets()
        assert z.abs().max() <= 1 + 1e-6
        u = ((z + 1) / 2).double().numpy()
        cell = scaler.gap_cell
        # Float32 may push a draw at a cell's edge over it.
        assert np.mean(np.abs(scaler.unscale_gap(u[:, 0]) - expected.gap) < 1e-4 * cell) > 0.98
        if max(scaler.location_cell):
            assert np.mean(scaler.unscale_location(u[:, 1:]) == expected.location) > 0.98
        drawn.append(z)
    assert not torch.equal(*drawn)
    # Histories keep what was recorded.
    assert torch.equal(batch.u, scaled.batch(list(range(len(sequences)))).u)


def test_spreading_repeats_with_its_seed_and_draws_nothing_without_cells():
    scaler = fit_scaler([on_a_clock()], AUTO)
    draws = []
    for _ in range(2):
        scaled = ScaledSequences(on_a_clock(), scaler)
        scaled.spread(torch.Generator().manual_seed(4))
        draws.append(scaled.batch([0, 1]).targets()[0])
    assert torch.equal(*draws)
    generator = torch.Generator().manual_seed(4)
    before = generator.get_state()
    sequences = random_sequences([5, 6])
    scaled = ScaledSequences(sequences, fit_scaler([sequences], ScalingSettings()))
    scaled.spread(generator)
    assert torch.equal(generator.get_state(), before)
    assert scaled.batch([0]).target is None


def test_the_least_distance_is_of_places_that_differ():
    places = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [3.0, 4.5], [3.0, 4.5]])
    assert least_distance(places) == 0.5
    assert least_distance(places[[0, 2]]) == 0
    assert least_distance(places[:0]) == 0
    assert least_distance(places[:, :1]) == 3
