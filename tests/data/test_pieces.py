"""Pieces of long sequences hold every target once, each with the gap, past and end it has whole."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import random_sequences

from smash.data.batching import ScaledSequences
from smash.data.pieces import in_pieces
from smash.data.scaling import fit_scaler
from smash.settings import ScalingSettings

LENGTHS = st.lists(st.integers(2, 40), min_size=1, max_size=5)


@settings(max_examples=50, deadline=None)
@given(LENGTHS, st.integers(1, 50), st.integers(1, 60))
def test_every_target_is_one_of_one_piece(lengths, most, history):
    whole = random_sequences(lengths)
    pieces = in_pieces(whole, most, history)
    for name in ("time", "gap", "location", "mark"):
        np.testing.assert_allclose(
            getattr(pieces.targets(), name), getattr(whole.targets(), name), atol=1e-9
        )
    counts = np.bincount(pieces.targets().sequence)
    assert counts.max() <= most
    assert len(pieces) == sum(-(-(n - 1) // most) for n in lengths)
    assert (pieces.n_history <= max(history, 1)).all()


@settings(max_examples=20, deadline=None)
@given(LENGTHS, st.integers(1, 50))
def test_with_all_of_the_past_a_target_has_the_context_that_it_has_whole(lengths, most):
    whole = random_sequences(lengths)
    pieces = in_pieces(whole, most, 10**6)
    before, found = (
        [
            part.time[:r][part.sequence[:r] == part.sequence[r]]
            for r in np.flatnonzero(part.is_target)
        ]
        for part in (whole, pieces)
    )
    for one, other in zip(before, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_that_nothing_came_at_a_sequence_s_end_is_known_once():
    whole = random_sequences([30, 12])
    whole.window[:, 1] += 2.0
    scaler = fit_scaler([whole], ScalingSettings())
    pieces = ScaledSequences(in_pieces(whole, 5, 8), scaler)
    left = pieces.batch(list(range(len(pieces)))).left
    assert int((~left.isnan()).sum()) == 2
