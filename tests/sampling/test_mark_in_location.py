"""Under `mark_in_location` the location is drawn given the event's own mark."""

import pytest
import torch
from known_law import KnownLaw
from torch import Tensor

from smash.model.location_head import Given
from smash.model.score_network import ScoreNet
from smash.sampling.inverse_cdf import sample_inverse_cdf
from smash.sampling.langevin import sample_langevin
from smash.settings import ModelSettings, SamplingSettings

SIGMA = torch.tensor([0.05, 0.05, 0.05])


class MarkedPlaces(KnownLaw):
    """Locations N(±0.4, 0.1² I): on the right for mark 1, on the left for mark 0."""

    def given(self, t: Tensor, mixed: Tensor, mark: Tensor) -> Given:
        return Given(t, mixed + (0.8 * mark - 0.4).unsqueeze(-1))

    def score(self, x: Tensor, given: Given, terms: tuple) -> Tensor:
        return (given.mixed - x) / 0.01


@pytest.mark.parametrize("denoise", ["none", "tweedie", "posterior"])
def test_exact_draws_place_each_mark(denoise):
    settings = SamplingSettings(
        sampler="inverse_cdf", denoise=denoise, total_samples=400, location_steps=60
    )
    rng = torch.Generator().manual_seed(0)
    (block,) = sample_inverse_cdf(MarkedPlaces(), torch.zeros(2, 4), SIGMA, settings, rng)
    assert_placed(block.chains)


def test_the_published_chain_places_each_mark_in_the_end():
    settings = SamplingSettings(
        denoise="tweedie",
        langevin_step=0.005,
        sampling_steps=100,
        per_step=100,
        n_samples=400,
        total_samples=400,
        location_steps=200,
    )
    rng = torch.Generator().manual_seed(0)
    (block,) = sample_langevin(MarkedPlaces(), torch.zeros(2, 4), SIGMA, settings, rng)
    assert_placed(block.chains)


def assert_placed(chains) -> None:
    for mark, centre in ((0, -0.4), (1, 0.4)):
        found = chains.z[chains.mark == mark][:, 1:].mean(0)
        torch.testing.assert_close(found, torch.full((2,), centre), rtol=0, atol=0.05)


def test_a_network_tells_marks_apart_only_where_asked():
    z, context = torch.rand(3, 5, 3), torch.randn(3, 32)
    marks = [torch.full((3, 5), k) for k in range(3)]
    for asked in (True, False):
        torch.manual_seed(0)
        network = ScoreNet(ModelSettings(cond_dim=8, mark_in_location=asked), 3)
        if network.mark_shift is not None:
            torch.nn.init.normal_(network.mark_shift.weight)
        terms = network.terms(context)
        evaluations = [network(z, terms, mark) for mark in marks]
        same = torch.equal(evaluations[0].location_score, evaluations[1].location_score)
        assert same is not asked
        assert torch.equal(evaluations[0].intensity, evaluations[1].intensity)
    assert ScoreNet(ModelSettings(cond_dim=8, mark_in_location=True), 1).mark_shift is None
