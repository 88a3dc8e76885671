"""What is kept of growing paths says what their whole contexts would."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import random_sequences
from test_history_head import HISTORY, stirred, untrained

from smash.data.batching import Batch, ScaledSequences
from smash.data.events import EventSequences
from smash.model.key_features import LATEST
from smash.model.pointed_events import PointedEvents
from smash.model.smash import Smash

N_PATHS, N_EVENTS = 4, LATEST + 20


@pytest.fixture(
    scope="module",
    params=[(5, False), (LATEST + 6, False), (LATEST + 6, True)],
    ids=["few", "more than the latest", "magnitudes"],
)
def model(request) -> Smash:
    n_recent, magnitudes = request.param
    settings = replace(HISTORY, recent_events=n_recent, magnitudes=magnitudes)
    return stirred(untrained(shaken([30, 40]), settings))


def shaken(lengths: list[int], seed: int = 0) -> EventSequences:
    """Random sequences with magnitudes."""
    events = random_sequences(lengths, seed=seed)
    numbers = np.random.default_rng(seed)
    return replace(events, magnitude=1 + numbers.exponential(0.5, events.n_events))


def told(model: Smash, batch: Batch) -> torch.Tensor:
    return model.encoder.told(batch)


def paths(model: Smash, n_common: int) -> Batch:
    """Paths of one past: as many events of each are the first one's."""
    events = shaken([N_EVENTS] * N_PATHS, seed=3)
    batch = ScaledSequences(events, model.scaler).batch(list(range(N_PATHS)))
    told_of = (batch.u, batch.mark, batch.magnitude)
    for part in (part for part in told_of if part is not None):
        part[:, :n_common] = part[:1, :n_common]
    return batch


def check(model: Smash, batch: Batch, kept: PointedEvents, n_events: int, rows) -> None:
    """Checks `own` against that of contexts of the first events, which stand last first."""
    events = told(model, batch)[rows, :n_events]
    nothing = events.new_zeros(len(rows), model.encoder.n_recent, events.shape[-1])
    padded = torch.cat([nothing, events], dim=1)
    recent = padded[:, -model.encoder.n_recent :].flip(1)
    context = torch.cat(
        [torch.zeros(len(rows), model.network.location.n_encoded), recent.flatten(1)], 1
    )
    whole = model.network.terms(context).location.own
    for found, expected in zip(kept.own(), whole, strict=True):
        torch.testing.assert_close(found.flip(1), expected, rtol=1e-3, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("n_common", [1, 3, LATEST - 2, LATEST + 10])
def test_an_event_at_a_time_is_all_of_them_at_once(model, n_common):
    batch, rows = paths(model, n_common), torch.arange(N_PATHS)
    events = told(model, batch)
    kept = model.network.location.remembered(events[:1, :n_common], N_PATHS)
    check(model, batch, kept, n_common, rows)
    for event in range(n_common, N_EVENTS):
        kept.append(events[rows, event])
        if event == n_common + 3:
            rows = torch.tensor([3, 1])
            kept.keep(rows)
        check(model, batch, kept, event + 1, rows)


@torch.no_grad()
def test_paths_may_share_nothing(model):
    batch, rows = paths(model, 0), torch.arange(N_PATHS)
    events = told(model, batch)
    kept = model.network.location.remembered(events[:, :1], N_PATHS)
    for event in range(1, N_EVENTS):
        kept.append(events[:, event])
        check(model, batch, kept, event + 1, rows)


@torch.no_grad()
def test_paths_without_events_of_their_own_may_be_let_go(model):
    batch = paths(model, 8)
    kept = model.network.location.remembered(told(model, batch)[:1, :8], N_PATHS)
    kept.keep(torch.tensor([2, 0]))
    check(model, batch, kept, 8, torch.tensor([2, 0]))
