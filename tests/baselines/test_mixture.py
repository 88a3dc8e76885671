"""The mixture's density is a density, its samples follow it, and it learns what history says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from synthetic import random_sequences

from smash.baselines import Climatology, Mixture, MixtureSettings, fit_mixture
from smash.baselines.mixture_inputs import MixtureData, Pieces, Standardisation
from smash.data.events import EventSequences, build_sequences
from smash.errors import CheckpointError, DataError
from smash.law.gaussian_mixtures import GapLaw, LocationLaw
from smash.scores.marks import log_loss
from smash.scores.proper import fair_crps, fair_energy_score

SMALL = MixtureSettings(units=8, mark_units=3, components=4, epochs=1, least_batches=2)
LEVEL = 1e-3


def untrained(events: EventSequences, n_marks: int, unit: str = "hours") -> Mixture:
    torch.manual_seed(0)
    return Mixture(SMALL, n_marks, Standardisation.of(events, unit)).eval()


def fit(train: EventSequences, n_marks: int, settings: MixtureSettings = SMALL, **more) -> Mixture:
    generator = torch.Generator().manual_seed(1)
    return fit_mixture(train, train, n_marks, "hours", generator, settings, **more)


def with_zero_gaps(share: float, n_events: int, seed: int) -> EventSequences:
    """Sequences of 50 events, of whose gaps a share is zero whatever the history."""
    numbers = np.random.default_rng(seed)
    gap = numbers.exponential(size=n_events) * (numbers.random(n_events) >= share)
    time = np.concatenate([part.cumsum() for part in np.split(gap, n_events // 50)])
    location, mark = numbers.normal(size=(n_events, 2)), numbers.integers(2, size=n_events)
    return build_sequences(time, location, mark, [50] * (n_events // 50), "zero gaps")


def test_gap_laws_integrate_to_one_and_survival_is_what_is_left():
    torch.manual_seed(0)
    law = GapLaw.of(torch.randn(1, 13, dtype=torch.float64), 0.05)
    z = torch.linspace(-15, 15, 60_001, dtype=torch.float64)
    density = law.log_density(z, torch.zeros_like(z, dtype=torch.bool)).exp()
    atom = law.log_density(z[:1], torch.ones(1, dtype=torch.bool)).exp()
    assert float(torch.trapezoid(density, z) + atom) == pytest.approx(1, abs=1e-6)
    beyond = z > 0.3
    rest = torch.trapezoid(density[beyond], z[beyond])
    survival = law.log_survival(torch.tensor([0.3], dtype=torch.float64)).exp()
    assert float(survival) == pytest.approx(float(rest), abs=1e-3)


def test_location_laws_integrate_to_one_and_draws_follow_them():
    torch.manual_seed(2)
    law = LocationLaw.of(torch.randn(24, dtype=torch.float64), 0.2)
    axis = torch.linspace(-9, 9, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    mass = law.log_density(grid).exp() * (axis[1] - axis[0]) ** 2
    assert float(mass.sum()) == pytest.approx(1, abs=1e-4)
    many = LocationLaw(*(part.expand(40_000, *part.shape) for part in vars(law).values()))
    draws = many.draw(torch.Generator().manual_seed(2))
    mean = mass @ grid
    covariance = (mass[:, None] * (grid - mean)).T @ (grid - mean)
    np.testing.assert_allclose(draws.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(draws.T), covariance, rtol=0.05, atol=0.03)


@pytest.mark.parametrize("n_marks", [3, 1], ids=["marked", "unmarked"])
def test_samples_agree_with_the_density(n_marks, drawn):
    """E[q / p] under p is the mass of a density q, here by mark and by whether the gap is zero.

    Each draw becomes the second event of a sequence, whose log density is then asked for.
    """
    start = with_zero_gaps(0.3, 100, seed=3) if n_marks > 1 else random_sequences([50], 1)
    model = untrained(start, n_marks)
    one = start.select([0])
    pair = replace(
        one,
        time=one.time[:2],
        location=one.location[:2],
        mark=None if one.mark is None else one.mark[:2],
        offsets=np.array([0, 2]),
    )
    n = 20_000
    samples = drawn(model, pair, n)
    gap, location = samples.gap[0], samples.location[0]
    mark = None if samples.mark is None else samples.mark[0]

    def doubled(first, second) -> np.ndarray:
        return np.stack([np.broadcast_to(first, second.shape), second], axis=1)

    events = build_sequences(
        doubled(pair.time[0], pair.time[0] + gap).ravel(),
        doubled(pair.location[0], location).reshape(-1, 2),
        None if mark is None else doubled(pair.mark[0], mark).ravel(),
        [2] * n,
        "draws",
    )
    zero = gap == 0
    (centre, spread), place = model.standardisation.log_gap, model.standardisation
    positive = stats.lognorm.logpdf(np.where(zero, 1, gap), 0.5 * spread, scale=np.exp(centre))
    offset = location - np.asarray(place.location_mean)
    log_q = (
        np.where(zero, np.log(0.4), np.log(0.6) + positive)
        + stats.norm.logpdf(offset, scale=0.4 * np.asarray(place.location_scale)).sum(axis=1)
        - np.log(n_marks)
    )
    # Adding the gap to a time rounds it, so that it is not found again to the last digit.
    ratio = np.exp(log_q - model.log_densities(events).event)
    error = ratio.std() / np.sqrt(n)
    assert error < 0.1
    assert ratio.mean() == pytest.approx(1, abs=4 * error)
    for k in range(n_marks):
        for is_zero, share in ((True, 0.4), (False, 0.6)):
            part = ratio * (zero == is_zero) * (True if mark is None else mark == k)
            error = part.std() / np.sqrt(n)
            assert part.mean() == pytest.approx(share / n_marks, abs=4 * error)


def test_marks_given_the_gap_average_to_the_marks_probability(drawn):
    events = with_zero_gaps(0.3, 50, seed=0)
    samples = drawn(untrained(events, 2), events, 400)
    np.testing.assert_allclose(samples.mark_probability.sum(axis=1), 1)
    shares = (samples.mark == 1).mean(axis=1)
    error = np.sqrt(np.prod(samples.mark_probability, axis=1) / 400)
    assert (np.abs(shares - samples.mark_probability[:, 1]) < 4 * error).all()


def test_the_atom_has_the_share_of_zero_gaps(drawn):
    train = with_zero_gaps(0.3, 1000, seed=0)
    model = fit(train, 2, replace(SMALL, epochs=6, least_batches=10))
    gap = drawn(model, with_zero_gaps(0.3, 200, seed=1), 200).gap
    share = (train.targets().gap == 0).mean()
    assert (gap == 0).mean() == pytest.approx(share, abs=0.04)
    positive = gap[gap > 0]
    assert stats.kstest(positive[:2000], "expon").statistic < 0.1


def test_without_zero_gaps_they_are_all_but_impossible_and_finite(drawn):
    train = with_zero_gaps(0.0, 1000, seed=0)
    model = fit(train, 2)
    assert (drawn(model, train, 20).gap == 0).mean() < 0.01
    assert np.isfinite(model.log_densities(with_zero_gaps(0.3, 100, seed=1)).event).all()


def test_it_beats_climatology_after_a_short_training(simulated, drawn):
    settings = MixtureSettings(epochs=5)
    generator = torch.Generator().manual_seed(0)
    model = fit_mixture(simulated.train, simulated.validation, 3, "days", generator, settings)
    test = simulated.test.select(range(30))
    targets = test.targets()
    mixture, climatology = (
        drawn(forecaster, test, 60) for forecaster in (model, Climatology.fit(simulated.train, 3))
    )

    def scores(samples) -> np.ndarray:
        return np.array(
            [
                fair_crps(samples.gap, targets.gap).mean(),
                fair_energy_score(samples.location, targets.location).mean(),
                log_loss(samples.mark_probability, targets.mark).mean(),
            ]
        )

    assert (scores(mixture) < 0.99 * scores(climatology)).all()


def test_training_depends_on_its_generator_alone():
    events = random_sequences([12, 9, 15, 7])
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one = fit(events, 3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    other = fit(events, 3)
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name]), name


def test_the_best_epoch_is_kept_and_each_is_told():
    events, epochs, batches = random_sequences([12, 9, 15, 7]), [], []
    model = fit(
        events,
        3,
        replace(SMALL, epochs=6, learning_rate=0.5),
        on_batch=lambda n_targets, loss: batches.append(n_targets),
        on_epoch=epochs.append,
    )
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3, 4, 5, 6]
    assert sum(batches) == 6 * len(events.targets())
    best = min(epoch.validation_loss for epoch in epochs)
    assert best < epochs[-1].validation_loss or best == epochs[-1].validation_loss
    raw = sum(model.standardisation.log_jacobians(events.targets().gap))
    raw = raw - model.log_densities(events).event
    assert raw.mean() == pytest.approx(best, rel=1e-4)


def test_pieces_hold_every_target_once_after_its_history():
    events = random_sequences([2, 30, 7, 64, 65])
    pieces = Pieces.cut(events, 16, 5)
    data = MixtureData(events, Standardisation.of(events, ""), 3, pieces=pieces)
    own = np.concatenate([np.arange(a, b) for a, b in zip(pieces.first, pieces.end, strict=True)])
    np.testing.assert_array_equal(own, np.arange(events.n_events))
    batch = data.batch(list(range(len(data))))
    assert batch.n_targets == len(events.targets())
    assert (events.sequence[pieces.start] == events.sequence[pieces.end - 1]).all()
    inside = pieces.first > events.offsets[pieces.sequence]
    assert (pieces.first - pieces.start)[inside].min() == 5
    assert pieces.closing.sum() == len(events)


def test_a_long_history_before_the_first_target_is_in_no_piece_of_its_own():
    events = random_sequences([90, 40])
    late = replace(events, history=np.array([70, 1]))
    pieces = Pieces.cut(late, 16, 5)
    assert (late.is_target[pieces.end - 1]).all()
    data = MixtureData(late, Standardisation.of(late, ""), 3, pieces=pieces)
    batches = [data.batch([i]) for i in range(len(data))]
    assert min(batch.n_targets for batch in batches) > 0
    assert sum(batch.n_targets for batch in batches) == len(late.targets())
    epochs = []
    fit(late, 3, replace(SMALL, epochs=1, piece_events=16), on_epoch=epochs.append)
    assert np.isfinite(epochs[0].validation_loss)


def test_pieces_with_all_their_history_have_the_density_of_whole_sequences():
    events = random_sequences([40, 33])
    model = untrained(events, 3)
    with torch.no_grad():
        whole, cut = (
            model.target_log_density(batch, model.states(batch))
            for batch in (
                data.batch(list(range(len(data))))
                for data in (model.data(events), model.data(events, Pieces.cut(events, 7, 40)))
            )
        )
    np.testing.assert_allclose(cut, whole, rtol=1e-4, atol=1e-5)


def test_the_event_free_end_of_a_window_has_the_share_of_longer_gaps(drawn):
    events, left, n = random_sequences([9]), 0.7, 20_000
    model = untrained(events, 3)
    shorter = replace(
        events,
        time=events.time[:8],
        location=events.location[:8],
        mark=events.mark[:8],
        offsets=np.array([0, 8]),
        window=np.array([[0.0, events.time[7] + left]]),
    )
    batch = model.data(shorter).batch([0])
    with torch.no_grad():
        survival = float(model.log_survival(batch, model.states(batch)).exp())
    longer = (drawn(model, events, n).gap[-1] > left).mean()
    assert 0.1 < survival < 0.9
    assert longer == pytest.approx(survival, abs=4 * np.sqrt(0.25 / n))


def test_a_window_that_ends_with_its_last_event_has_no_event_free_end():
    events = random_sequences([9, 5])
    model = untrained(events, 3)
    batch = model.data(events).batch([0, 1])
    with torch.no_grad():
        assert (model.log_survival(batch, model.states(batch)) == 0).all()


def test_a_known_unit_shows_the_phase_of_the_week():
    events = random_sequences([30])

    def shifted(hours: float, unit: str) -> np.ndarray:
        later = replace(events, time=events.time + hours, window=events.window + hours)
        return untrained(events, 3, unit).log_densities(later).event

    np.testing.assert_allclose(shifted(168, "hours"), shifted(0, "hours"), atol=1e-4)
    assert np.abs(shifted(12, "hours") - shifted(0, "hours")).max() > 1e-3
    np.testing.assert_allclose(shifted(12, "moons"), shifted(0, "moons"), atol=1e-4)


def test_a_saved_mixture_is_the_same_when_loaded(tmp_path, drawn):
    events = random_sequences([20, 14])
    model = untrained(events, 3)
    model.save(tmp_path / "mixture")
    loaded = Mixture.load(tmp_path / "mixture")
    np.testing.assert_array_equal(
        loaded.log_densities(events).event, model.log_densities(events).event
    )
    np.testing.assert_array_equal(drawn(loaded, events, 3).gap, drawn(model, events, 3).gap)


@pytest.mark.parametrize("damage", ["missing", "weights", "description", "format"])
def test_a_damaged_mixture_is_refused(tmp_path, damage):
    events = random_sequences([20])
    untrained(events, 3).save(tmp_path)
    description, weights = tmp_path / "mixture.json", tmp_path / "mixture.safetensors"
    match damage:
        case "missing":
            weights.unlink()
        case "weights":
            weights.write_bytes(weights.read_bytes()[:-10])
        case "description":
            description.write_text("{")
        case "format":
            description.write_text(description.read_text().replace('"format": 1', '"format": 9'))
    with pytest.raises(CheckpointError, match=str(tmp_path)):
        Mixture.load(tmp_path)


def test_events_without_known_marks_are_refused():
    model = untrained(random_sequences([30], n_marks=2), 2)
    for n_marks in (1, 6):
        with pytest.raises(DataError, match="fitted to"):
            model.log_densities(random_sequences([30], n_marks))
