"""Growing histories: encoded event by event as the encoder encodes them as a whole."""

import pytest
import torch
from synthetic import random_sequences

from smash.data.batching import Batch, ScaledSequences
from smash.model.encoder_memory import GrowingHistories
from smash.model.smash import Smash
from smash.settings import ModelSettings

SETTINGS = {
    "published": {},
    "relative": {"time_encoding": "relative", "periods": (2.0,), "skip": True},
    "no layers": {"n_layers": 0},
    "location mixture": {"location_law": "mixture", "recent_events": 8, "max_context": 16},
    "history": {"location_law": "history", "recent_events": 9, "max_context": 16},
    "short windows": {"max_context": 8},
    "shorter than the history": {"max_context": 4},
}


@pytest.fixture(params=SETTINGS)
def model(request, prepared, small_model) -> Smash:
    torch.manual_seed(1)
    sizes = {"cond_dim": 8, "n_layers": 2, "n_heads": 2, "d_head": 4} | SETTINGS[request.param]
    return Smash(ModelSettings(**sizes), small_model.n_marks, prepared.scaler).eval()


def batch_of(model: Smash, n_paths: int, n_events: int) -> Batch:
    sequences = random_sequences([n_events] * n_paths, n_marks=model.n_marks, seed=3)
    return ScaledSequences(sequences, model.scaler).batch(list(range(n_paths)))


def events(batch: Batch, at: slice) -> Batch:
    """Returns some events of every sequence, as a batch."""
    length = torch.full_like(batch.length, len(range(*at.indices(batch.time.shape[1]))))
    mark = None if batch.mark is None else batch.mark[:, at]
    return Batch(batch.time[:, at], batch.u[:, at], mark, length, start=batch.start)


def first_row(batch: Batch) -> Batch:
    mark = None if batch.mark is None else batch.mark[:1]
    start = None if batch.start is None else batch.start[:1]
    return Batch(batch.time[:1], batch.u[:1], mark, batch.length[:1], start=start)


def with_common_past(batch: Batch, n_common: int) -> Batch:
    """Returns the batch with the first sequence's first events in all of them."""
    last = batch.time[:, n_common - 1 : n_common].clone()
    batch.time[:, n_common:] += last[:1] - last
    for part in (batch.time, batch.u, batch.mark):
        if part is not None:
            part[:, :n_common] = part[:1, :n_common]
    return batch


@torch.no_grad()
def test_event_by_event_equals_the_whole(model):
    n_common, n_events = 6, 20
    batch = with_common_past(batch_of(model, 5, n_events), n_common)
    whole = model.encoder(batch)
    histories = GrowingHistories(model.encoder, first_row(events(batch, slice(n_common))), 5)
    torch.testing.assert_close(histories.context, whole[:, n_common - 1])
    for event in range(n_common, n_events):
        histories.append(events(batch, slice(event, event + 1)))
        torch.testing.assert_close(histories.context, whole[:, event], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_paths_that_end_leave_the_others_as_they_are(model):
    batch = with_common_past(batch_of(model, 5, 14), 3)
    whole = model.encoder(batch)
    rows = torch.tensor([4, 1, 2])
    histories = GrowingHistories(model.encoder, first_row(events(batch, slice(3))), 5)
    for event in range(3, 14):
        if event == 7:
            histories.keep(rows)
        one = events(batch, slice(event, event + 1))
        if event >= 7:
            mark = None if one.mark is None else one.mark[rows]
            start = None if one.start is None else one.start[rows]
            one = Batch(one.time[rows], one.u[rows], mark, one.length[rows], start=start)
        histories.append(one)
    torch.testing.assert_close(histories.context, whole[rows, 13], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_what_is_kept_does_not_grow_beyond_the_window(model):
    window = model.encoder.max_context
    histories = GrowingHistories(model.encoder, batch_of(model, 1, 3), 2)
    batch = batch_of(model, 2, 40)
    for event in range(40):
        histories.append(events(batch, slice(event, event + 1)))
        assert histories.length <= window
