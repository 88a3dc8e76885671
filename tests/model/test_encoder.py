"""What the encoder may see, and what it must not."""

from dataclasses import replace

import pytest
import torch
from synthetic import random_sequences

from smash.data.batching import Batch, ScaledSequences
from smash.data.events import EventSequences
from smash.model.encoder import Encoder
from smash.model.smash import Smash
from smash.settings import ModelSettings


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


def relative_encoder(small_model, **changes) -> Encoder:
    settings = replace(small_model.settings, time_encoding="relative", **changes)
    return Encoder(settings, small_model.n_marks).eval()


def shifted(batch: Batch, by: float) -> Batch:
    """The batch with its events later within their windows, gaps as they were."""
    return replace(batch, time=batch.time + by)


def test_relative_times_forget_when_a_window_began(small_model):
    batch, _ = encode(small_model, [10, 7], [0, 1])
    with torch.no_grad():
        assert (
            small_model.encoder(shifted(batch, 3.0)) - small_model.encoder(batch)
        ).abs().max() > 0.01
        encoder = relative_encoder(small_model)
        torch.testing.assert_close(encoder(shifted(batch, 3.0)), encoder(batch))


def test_a_skip_adds_the_last_event_itself(small_model):
    batch, without = encode(small_model, [10, 7], [0, 1])
    encoder = small_model.encoder
    encoder.skip = True
    with torch.no_grad():
        added = encoder(batch) - without
        embedded = encoder.embed(batch).permute(1, 2, 0, 3).flatten(2)
    torch.testing.assert_close(added, embedded, rtol=1e-4, atol=1e-5)


CONTEXT = 8


@pytest.fixture
def windowed(small_model) -> Smash:
    """The small model with windows of eight events."""
    settings = replace(small_model.settings, max_context=CONTEXT)
    model = Smash(settings, small_model.n_marks, small_model.scaler)
    model.load_state_dict(small_model.state_dict())
    return model


def sequence_of(model: Smash, sequences: EventSequences, events: slice) -> Batch:
    whole = ScaledSequences(sequences, model.scaler).batch([0])
    mark = None if whole.mark is None else whole.mark[:, events]
    time, u = whole.time[:, events], whole.u[:, events]
    return Batch(time, u, mark, torch.tensor([time.shape[1]]))


def test_a_long_sequence_is_encoded_as_its_windows_are(windowed):
    sequences = random_sequences([22], n_marks=windowed.n_marks)
    seen = {range(8): 0, range(8, 12): 4, range(12, 16): 8, range(16, 20): 12, range(20, 22): 16}
    with torch.no_grad():
        whole = windowed.eval().encoder(sequence_of(windowed, sequences, slice(22)))
        for events, first in seen.items():
            window = sequence_of(windowed, sequences, slice(first, events.stop))
            part = windowed.encoder(window)[:, events.start - first :]
            torch.testing.assert_close(whole[:, events.start : events.stop], part)


def test_windows_change_nothing_for_a_sequence_that_fits_one(windowed, small_model):
    lengths = [CONTEXT, 30]
    batch, together = encode(windowed, lengths, [0, 1])
    with torch.no_grad():
        plain = small_model.eval().encoder(batch)
    torch.testing.assert_close(together[:, :CONTEXT], plain[:, :CONTEXT])
    assert (together[1, -1] - plain[1, -1]).abs().max() > 1e-4


def training_batch(model: Smash, length: int) -> Batch:
    sequences = random_sequences([length], n_marks=model.n_marks)
    return ScaledSequences(sequences, model.scaler).batch([0])


def test_training_keeps_little_of_each_window(windowed, small_model):
    """So that memory is that of one window and a row of numbers an event."""

    def kept(model: Smash, length: int) -> int:
        sizes = []

        def pack(tensor):
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model.train().encoder(training_batch(model, length))
        return sum(sizes)

    growth = [kept(model, 64) - kept(model, 32) for model in (windowed, small_model)]
    assert growth[0] < growth[1] / 4


def test_windows_done_again_have_the_gradient_of_the_first_time(windowed, monkeypatch):
    batch = training_batch(windowed, 30)

    def gradient() -> torch.Tensor:
        torch.manual_seed(3)  # of dropout
        encoding = windowed.train().encoder(batch)
        weight = windowed.encoder.layers[0].out.weight
        return torch.autograd.grad(encoding.square().sum(), weight)[0]

    again = gradient()
    monkeypatch.setattr(windowed.encoder, "_encode_again", windowed.encoder._encode)
    torch.testing.assert_close(again, gradient())


def test_context_dropout_is_for_training_alone(small_model):
    batch = training_batch(small_model, 12)
    for dropout, differs in ((0.0, False), (0.5, True)):
        encoder = relative_encoder(small_model, n_layers=0, context_dropout=dropout)
        torch.testing.assert_close(encoder.eval()(batch), encoder(batch))
        assert torch.equal(encoder.train()(batch), encoder(batch)) != differs


def test_contexts_of_the_last_events_are_told_the_same_as_among_all():
    settings = ModelSettings(cond_dim=8, n_layers=1, location_law="history", recent_events=5)
    encoder = Encoder(settings, 2).eval()
    told, encoding = torch.randn(3, 9, 4), torch.randn(3, 9, 16)
    whole = encoder.beside_recent(encoding, told)
    for last in (1, 4):
        some = encoder.beside_recent(encoding[:, -last:], told)
        assert torch.equal(some, whole[:, -last:])
