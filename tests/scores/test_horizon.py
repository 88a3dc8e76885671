"""Horizon scores equal plain sums over all matchings, and rank forecasts as they should."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smash.scores.horizon import (
    Sequence,
    mark_count_error,
    step_errors,
    temporal_map,
    transport_distance,
)

K = 3
THRESHOLDS = (0.2, 1.0)


def sequence(seed: int, n_events: int, scored: bool = False) -> Sequence:
    numbers = np.random.default_rng(seed)
    time = np.sort(numbers.uniform(0, 5, n_events))
    score = numbers.dirichlet(np.ones(K), n_events) if scored else None
    mark = numbers.integers(0, K, n_events) if score is None else score.argmax(axis=1)
    return Sequence(time, mark.astype(np.int64), numbers.normal(size=(n_events, 2)), score)


def matchings(n: int, m: int):
    """Yields all sets of pairs of which none shares an event."""
    for size in range(min(n, m) + 1):
        for rows in combinations(range(n), size):
            for columns in permutations(range(m), size):
                yield list(zip(rows, columns, strict=True))


def plain_distance(forecast, happened, insert_cost, delete_cost):
    costs = []
    for pairs in matchings(len(forecast), len(happened)):
        if any(forecast.mark[i] != happened.mark[j] for i, j in pairs):
            continue
        moved = sum(abs(forecast.time[i] - happened.time[j]) for i, j in pairs)
        lacking, beyond = len(happened) - len(pairs), len(forecast) - len(pairs)
        costs.append(moved + insert_cost * lacking + delete_cost * beyond)
    return min(costs)


def plain_map(forecast, happened, horizon, thresholds):
    """T-mAP by its definition, all matchings tried."""
    values = []
    for threshold in thresholds:
        for mark in range(K):
            hits, scores, total = [], [], 0
            for f, h in zip(forecast, happened, strict=True):
                f, h = f.until(horizon), h.until(horizon)
                true = [t for t, k in zip(h.time, h.mark, strict=True) if k == mark]
                total += len(true)
                fitting = [
                    pairs
                    for pairs in matchings(len(f), len(true))
                    if all(abs(f.time[i] - true[j]) <= threshold for i, j in pairs)
                ]
                most = max(fitting, key=lambda p: (len(p), sum(f.score[i, mark] for i, _ in p)))
                hits += [i in dict(most) for i in range(len(f))]
                scores += f.score[:, mark].tolist()
            order = np.argsort(scores)[::-1]
            ranked = np.array(hits)[order]
            value = 0.0
            if ranked.any() and not ranked.all():
                before = 0.0
                for n in range(1, len(ranked) + 1):
                    recall = ranked[:n].sum() / ranked.sum()
                    value += (recall - before) * ranked[:n].mean()
                    before = recall
                value *= ranked.sum() / max(total, 1)
            values.append(value)
    return np.mean(values)


@given(st.integers(0, 10**6), st.integers(0, 4), st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_the_distance_is_that_of_the_cheapest_matching(seed, n, m):
    forecast, happened = sequence(seed, n), sequence(seed + 1, m)
    for costs in ((0.5, 0.5), (1.0, 0.3)):
        found = transport_distance(forecast, happened, *costs)
        assert found == pytest.approx(plain_distance(forecast, happened, *costs))
    assert transport_distance(happened, happened, 1, 1) == 0


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_temporal_map_is_that_of_its_definition(seed):
    lengths = np.random.default_rng(seed).integers(0, 5, (2, 3))
    forecast = [sequence(seed + i, n, scored=True) for i, n in enumerate(lengths[0])]
    happened = [sequence(seed + 10 + i, n) for i, n in enumerate(lengths[1])]
    found = temporal_map(forecast, happened, 4.0, THRESHOLDS, K)
    assert found == pytest.approx(plain_map(forecast, happened, 4.0, THRESHOLDS))


def test_a_forecast_near_the_truth_is_better_than_one_far_from_it():
    happened = [sequence(seed, 12) for seed in range(20)]
    numbers = np.random.default_rng(0)

    def moved(spread: float) -> list[Sequence]:
        found = []
        for each in happened:
            time = np.sort(each.time + numbers.normal(0, spread, len(each)))
            score = np.eye(K)[each.mark] * 0.5 + numbers.random((len(each), K)) * (0.2 + spread)
            place = each.location + numbers.normal(0, spread, (len(each), 2))
            found.append(Sequence(time, score.argmax(axis=1), place, score))
        return found

    near, far = moved(0.05), moved(0.8)
    maps = [temporal_map(each, happened, 6.0, THRESHOLDS, K) for each in (near, far)]
    assert maps[0] > maps[1] > 0
    distances = [
        np.mean([transport_distance(f, h, 1, 1) for f, h in zip(each, happened, strict=True)])
        for each in (near, far)
    ]
    assert distances[0] < distances[1]
    steps = [step_errors(each, happened, 5) for each in (near, far)]
    for one, other in zip(*steps, strict=True):
        assert one.n == other.n == 20
        assert one.time < other.time
        assert one.location < other.location
        assert one.mark <= other.mark


def test_steps_that_no_window_has_are_left_out_and_marks_are_counted():
    forecast, happened = [sequence(0, 2), sequence(1, 4)], [sequence(2, 3), sequence(3, 1)]
    steps = step_errors(forecast, happened, 5)
    assert [(step.step, step.n) for step in steps] == [(1, 2), (2, 1)]
    one = Sequence(np.arange(3.0), np.array([0, 0, 2]), np.zeros((3, 2)))
    other = Sequence(np.arange(2.0), np.array([1, 2]), np.zeros((2, 2)))
    assert mark_count_error(one, other) == 3


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_hotpp(seed):
    """The same figures as the package's, where it is installed (hotpp-benchmark 0.7).

    Sequences are of unlike lengths; the package's transport distance knows first events alone.
    """
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("hotpp.metrics", reason="needs hotpp-benchmark")
    longest, first = 8, 3
    lengths = np.random.default_rng(seed).integers(first, longest + 1, (2, 6))
    forecast = [sequence(seed + 10 * i, n, scored=True) for i, n in enumerate(lengths[0])]
    happened = [sequence(seed + 10 * i + 1, n) for i, n in enumerate(lengths[1])]

    def tensor(name: str, of: list[Sequence]):
        every = [torch.from_numpy(getattr(each, name)) for each in of]
        return torch.nn.utils.rnn.pad_sequence(every, batch_first=True)

    def mask(of: list[Sequence]):
        return tensor("time", of) > 0

    metric = metrics.TMAPMetric(4.0, list(THRESHOLDS))
    metric.update(
        torch.zeros(len(forecast)),
        mask(happened),
        tensor("time", happened),
        tensor("mark", happened),
        mask(forecast),
        tensor("time", forecast),
        tensor("score", forecast),
    )
    found = temporal_map(forecast, happened, 4.0, THRESHOLDS, K)
    assert metric.compute()["T-mAP"] == pytest.approx(found, abs=1e-6)
    pairs = [(f.first(first), h.first(first)) for f, h in zip(forecast, happened, strict=True)]
    both = [[pair[side] for pair in pairs] for side in (1, 0)]
    metric = metrics.OTDMetric(1.0, 0.5)
    metric.update(*(tensor(name, of) for of in both for name in ("time", "mark")))
    distance = np.mean([transport_distance(f, h, 1.0, 0.5) for f, h in pairs])
    delta = np.mean([mark_count_error(f, h) for f, h in pairs])
    assert metric.compute()["optimal-transport-distance"] == pytest.approx(distance, rel=1e-5)
    assert metric.compute()["next-k-label-distribution-delta"] == pytest.approx(delta)
    steps = step_errors(forecast, happened, first)
    for k, step in enumerate(steps):
        metric = metrics.NextItemMetric()
        columns = [k, k]  # twice, as the package also takes differences of times
        metric.update(
            torch.ones(len(pairs), 2, dtype=torch.bool),
            *(tensor(name, both[0])[:, columns] for name in ("time", "mark")),
            *(tensor(name, both[1])[:, columns] for name in ("time", "mark", "score")),
        )
        assert metric.compute()["next-item-mae"] == pytest.approx(step.time, rel=1e-5)
        assert metric.compute()["next-item-accuracy"] == pytest.approx(1 - step.mark)
