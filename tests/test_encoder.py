"""What the encoder may see, and what it must not."""

import torch
from synthetic import random_sequences

from smash.data.batching import Batch, ScaledSequences
from smash.model import Smash


def encode(model: Smash, lengths, indices) -> tuple[Batch, torch.Tensor]:
    sequences = random_sequences(lengths, n_marks=max(model.n_marks, 1))
    batch = ScaledSequences(sequences, model.scaler).batch(indices)
    with torch.no_grad():
        return batch, model.eval().encoder(batch)


def test_padding_changes_nothing(small_model):
    _, together = encode(small_model, [12, 5], [0, 1])
    _, alone = encode(small_model, [12, 5], [1])
    torch.testing.assert_close(together[1, :5], alone[0])


def test_no_row_sees_the_future(small_model):
    batch, before = encode(small_model, [10], [0])
    changed = Batch(batch.time.clone(), batch.u.clone(), batch.mark, batch.length)
    changed.time[0, 6:] += 3.0
    changed.u[0, 6:] = 0.123
    with torch.no_grad():
        after = small_model.encoder(changed)
    torch.testing.assert_close(after[0, :6], before[0, :6])
    assert (after[0, 6:] - before[0, 6:]).abs().max() > 1e-4


def test_a_location_of_exactly_zero_is_an_event_like_any_other(small_model):
    """The original takes a scaled coordinate of 0 for padding."""
    batch, _ = encode(small_model, [8], [0])
    at_zero = Batch(batch.time, batch.u.clone(), batch.mark, batch.length)
    at_zero.u[0, 2, 1:] = 0.0
    near_zero = Batch(batch.time, batch.u.clone(), batch.mark, batch.length)
    near_zero.u[0, 2, 1:] = 1e-6
    with torch.no_grad():
        a, b = small_model.encoder(at_zero), small_model.encoder(near_zero)
    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
