"""Levels of noise: they fall to sigma_loc, and a chain down through them finds modes far apart."""

import torch

from smash.model.location_head import Given, LocationTerms
from smash.model.noise_levels import LevelScoreHead, noise_levels
from smash.sampling.annealing import annealed_places

CENTRES = torch.tensor([[-0.7, 0.0], [0.7, 0.4]])
SHARE, SPREAD = torch.tensor([0.8, 0.2]), 0.05


class TrueScore(LevelScoreHead):
    """The scores of two Gaussians far apart, with noise of each level."""

    def score_at(self, x, given, terms, level):
        variance = SPREAD**2 + self.levels[level].square()[..., None, None]
        away = CENTRES - x.unsqueeze(-2)
        weight = (SHARE.log() - away.square().sum(-1) / (2 * variance[..., 0])).softmax(-1)
        return (weight.unsqueeze(-1) * away / variance).sum(-2)


def true_head(n_levels: int) -> TrueScore:
    return TrueScore(4, 3, 8, noise_levels(0.05, n_levels))


def given(n_draws: int) -> Given:
    return Given(torch.zeros(1, n_draws, 1), torch.zeros(1, n_draws, 16))


TERMS = LocationTerms(torch.zeros(0), torch.zeros(0), ())


def test_levels_fall_geometrically_to_the_least():
    levels = noise_levels(0.05, 6)
    assert levels[0] == 1
    torch.testing.assert_close(levels[-1], torch.tensor(0.05))
    ratio = levels[1:] / levels[:-1]
    torch.testing.assert_close(ratio, ratio[:1].expand(5))
    torch.testing.assert_close(noise_levels(2.0, 2), torch.tensor([2.0, 2.0]))


def test_a_chain_down_the_levels_gives_modes_far_apart_their_shares():
    drawn = annealed_places(
        true_head(10), TERMS, given(4000), 100, torch.Generator().manual_seed(0)
    )
    left = drawn[0, :, 0] < 0
    assert abs(float(left.float().mean()) - 0.8) < 0.06
    spread = (drawn[0][left] - CENTRES[0]).std(0)
    assert ((spread - 0.05 * 2**0.5).abs() < 0.015).all()


def test_errors_are_least_at_the_true_scores():
    generator, head = torch.Generator().manual_seed(1), true_head(5)
    mode = (torch.rand(3000, generator=generator) > 0.8).long()
    x = CENTRES[mode] + SPREAD * torch.randn((3000, 2), generator=generator)
    noise = torch.randn((3000, 10, 2), generator=generator)
    true, score_at = head.errors(x[:, None], noise, given(1), TERMS).mean(), head.score_at
    for factor in (0.8, 1.2):
        head.score_at = lambda *args, by=factor: by * score_at(*args)
        assert head.errors(x[:, None], noise, given(1), TERMS).mean() > true
