"""The weighted objective is its explicit form, and finds the law that gaps were drawn from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from smash.data.batching import ScaledSequences
from smash.data.events import EventSequences
from smash.data.scaling import Scaler, fit_scaler
from smash.errors import SpecError
from smash.model import weighted_score_matching
from smash.model.grid_time_law import GridTimeLaw
from smash.model.score_network import AtTime
from smash.model.smash import Smash
from smash.model.training import Hooks, Trainer
from smash.model.weighted_score_matching import (
    around,
    distance_to_ends,
    no_event_loss,
    weighted_errors,
    weighted_score_matching_loss,
)
from smash.settings import ModelSettings, ObjectiveSettings, ScalingSettings, TrainingSettings

MODEL = ModelSettings(cond_dim=4, num_units=32, n_layers=0, time_encoding="relative")
WEIGHTED = ObjectiveSettings(kind="weighted_score_matching", n_noise=2)


def renewals(law, window: float, n: int, seed: int, n_marks: int = 1) -> EventSequences:
    """Windows of gaps that are independent of each other."""
    rng = np.random.default_rng(seed)
    times = [np.cumsum(law.rvs(60, random_state=rng)) for _ in range(n)]
    times = [np.append(0.0, time[time < window]) for time in times]
    offsets = np.concatenate([[0], np.cumsum([len(time) for time in times])])
    total = offsets[-1]
    mark = rng.choice(n_marks, total, p=[0.7, 0.3]) if n_marks > 1 else None
    ends = np.tile([0.0, window], (n, 1))
    return EventSequences(np.concatenate(times), rng.normal(size=(total, 2)), mark, offsets, ends)


def trainer(
    train: EventSequences,
    folder: Path,
    epochs: int,
    objective: ObjectiveSettings = WEIGHTED,
    hooks: Hooks | None = None,
) -> Trainer:
    torch.manual_seed(0)
    scaler = fit_scaler([train], ScalingSettings())
    n_marks = 1 if train.mark is None else 2
    model = Smash.untrained(MODEL, objective, train, scaler, n_marks)
    settings = TrainingSettings(
        total_epochs=epochs, batch_size=16, learning_rate=3e-3, warmup_epochs=1, eval_every=1
    )
    scaled = ScaledSequences(train, scaler)
    return Trainer(model, scaled, scaled, objective, settings, folder, 0, hooks)


def test_the_weight_vanishes_at_the_ends_and_beyond():
    low, high = torch.tensor(-1.1), torch.tensor(0.7)
    z = torch.tensor([-2.0, -1.1, -1.0, -0.2, 0.6, 0.7, 2.0])
    expected = torch.tensor([0.0, 0.0, 0.1, 0.9, 0.1, 0.0, 0.0])
    torch.testing.assert_close(distance_to_ends(z, low, high), expected)


def kinked(z: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    """A score with jumps, as those of a network of ReLUs are."""
    return theta[0] + theta[1] * z + theta[2] * (z > 0.3) + theta[3] * (z > -0.4) * z


@pytest.mark.parametrize("high", [1.1, 0.5])
def test_gradients_agree_with_those_of_the_explicit_form(high):
    """½ E[h (ψ − ψ*)²] and what needs no ψ*, by quadrature over a law cut off at `high`."""
    end, z = torch.tensor(high).double(), torch.linspace(-4.0, high, 400_001).double()
    density = stats.norm(0.2, 0.4).pdf(z.numpy()) / stats.norm(0.2, 0.4).cdf(high)
    share = torch.from_numpy(density) * (z[1] - z[0])
    theta = torch.tensor([0.5, -3.0, 1.5, 2.0], dtype=torch.double, requires_grad=True)
    low = torch.tensor(-1.1).double()
    at = around(z)
    found = (share * weighted_errors(kinked(at, theta), distance_to_ends(at, low, end))).sum()
    true = -(z - 0.2) / 0.4**2
    weight = distance_to_ends(z, low, end)
    explicit = (share * 0.5 * weight * (kinked(z, theta) - true).square()).sum()
    [one], [other] = (torch.autograd.grad(value, theta) for value in (found, explicit))
    torch.testing.assert_close(one, other, rtol=0.02, atol=0.02)


RIDGE = 1e-3
"""What squares of heights cost."""


class Bumps(torch.nn.Module):
    """A rate of bumps on the z scale with the interface of a network, alike after all histories."""

    def __init__(self, n_marks: int) -> None:
        super().__init__()
        self.law_grid = torch.linspace(-1.1, 1.1, 128)
        self.centre = torch.linspace(-1.1, 1.1, 8)
        self.height = torch.nn.Parameter(torch.zeros(8, n_marks))

    def intensity(self, t: torch.Tensor) -> torch.Tensor:
        return (torch.exp(-(((t - self.centre) / 0.3) ** 2) / 2) @ self.height).exp()

    def at_time(self, t: torch.Tensor, terms: object) -> AtTime:
        t = t.detach().requires_grad_()
        intensity = self.intensity(t)
        slopes = [
            torch.autograd.grad(part.sum(), t, create_graph=True)[0]
            for part in intensity.unbind(-1)
        ]
        return AtTime(intensity, torch.cat(slopes, dim=-1), t)

    def time_law(self, terms: object, n: int) -> GridTimeLaw:
        intensity = self.intensity(self.law_grid.unsqueeze(-1))
        return GridTimeLaw(self.law_grid, intensity.expand(n, -1, -1), self.growth)


def minimised(train: EventSequences, monkeypatch, n_marks: int = 1) -> tuple[Bumps, Scaler]:
    """The rate at which the objective on `train` is least."""
    monkeypatch.setattr(weighted_score_matching, "location_loss", lambda *_: torch.zeros(()))
    scaler = fit_scaler([train], ScalingSettings())
    [batch] = ScaledSequences(train, scaler).batches(len(train))
    (z, mark), until = batch.targets(), batch.longest_gaps()
    left = 2 * batch.left - 1
    network, noise = Bumps(n_marks), torch.zeros(len(z), 1, 3)
    network.growth = scaler.gap_growth
    optimiser = torch.optim.LBFGS(network.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        of_events = weighted_score_matching_loss(
            network, None, z, mark, noise, torch.ones(3), WEIGHTED, until
        )
        of_ends = no_event_loss(network, None, left)
        total = of_events.total + len(left) / len(z) * of_ends.total
        # Of few events, peaks between two marks' rates would be learnt by heart.
        total = total + RIDGE * network.height.square().sum()
        total.backward()
        return total

    optimiser.step(loss)
    return network, scaler


LAWS = [stats.expon(scale=0.7), stats.lognorm(0.5, scale=0.7)]


@pytest.mark.parametrize("law", LAWS, ids=["exponential", "lognormal"])
@pytest.mark.parametrize("window", [2.5, 20.0])
def test_its_least_is_the_law_of_gaps_though_windows_cut_them_short(law, window, monkeypatch):
    n = int(2500 / window)
    network, scaler = minimised(renewals(law, window, n, 0), monkeypatch)
    fresh = law.rvs(2000, random_state=np.random.default_rng(1))
    z = torch.from_numpy(2 * scaler.scale_gap(fresh) - 1).float()
    with torch.no_grad():
        at_z = network.time_law(None, 1).log_density(z[None])[0]
    found = at_z.numpy() + scaler.log_gap_slope(fresh)
    assert (law.logpdf(fresh) - found).mean() < 0.03


def test_marks_have_the_shares_they_came_with(monkeypatch):
    train = renewals(LAWS[0], 10.0, 60, 0, n_marks=2)
    network, scaler = minimised(train, monkeypatch, n_marks=2)
    targets = train.targets()
    z = torch.from_numpy(2 * scaler.scale_gap(targets.gap) - 1).float()
    with torch.no_grad():
        log_mark = network.time_law(None, 1).log_mark(z[None])[0].numpy()
    share = np.bincount(targets.mark) / len(targets)
    found = -log_mark[np.arange(len(targets)), targets.mark].mean()
    assert found < stats.entropy(share) + 0.01


def test_batches_know_how_long_each_gap_could_have_been():
    train = renewals(stats.expon(), 5.0, 6, 0)
    scaler = fit_scaler([train], ScalingSettings())
    [batch] = ScaledSequences(train, scaler).batches(6)
    targets = train.targets()
    before = (train.time - train.gap)[train.is_target]
    expected = 2 * scaler.scale_gap(5.0 - before) - 1
    np.testing.assert_allclose(batch.longest_gaps(), expected, atol=1e-5)
    parts = torch.cat([part.longest_gaps() for part in batch.parts(2)])
    torch.testing.assert_close(parts, batch.longest_gaps())
    assert len(targets) == len(parts)
    ends = train.time[train.offsets[1:] - 1]
    unknown = replace(train, window=np.stack([np.zeros(6), ends], axis=1))
    [batch] = ScaledSequences(unknown, scaler).batches(6)
    assert batch.longest_gaps().isnan().all()


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path):
    train = renewals(stats.expon(), 5.0, 40, 0, n_marks=2)
    whole = trainer(train, tmp_path / "whole", 3)
    whole.fit()

    def stop(record, checkpoint):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(train, tmp_path / "cut", 3, hooks=Hooks(on_epoch=stop)).fit()
    resumed = trainer(train, tmp_path / "cut", 3)
    assert resumed.resume()
    resumed.fit()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name


def test_repeated_gaps_of_zero_are_refused():
    train = renewals(stats.expon(), 5.0, 6, 0)
    train = replace(train, time=np.floor(train.time))
    scaler = fit_scaler([train], ScalingSettings())
    with pytest.raises(SpecError, match=r"objective\.kind: weighted_score_matching"):
        Smash.untrained(MODEL, WEIGHTED, train, scaler, 1)
