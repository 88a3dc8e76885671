"""The heavy-tailed kernel is one law, whether it is asked for its density, its mass or a draw."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from smash.model.place_kernels import heavy_log_density, heavy_radius, log_mass, on_circle

SCALE, EXPONENT = torch.tensor(0.3).double(), torch.tensor(1.6).double()


@pytest.mark.parametrize("reach", [2.0, math.inf])
def test_its_density_integrates_to_one_over_the_plane(reach):
    # In r = eˢ, so that tails are summed as far as they reach.
    log_radius = torch.linspace(-25, 25 if math.isinf(reach) else math.log(reach), 200_001).double()
    square = (2 * log_radius).exp()
    ring = 2 * math.pi * square
    density = heavy_log_density(square, SCALE.log(), EXPONENT, reach).exp()
    mass = torch.trapezoid(density * ring, log_radius)
    assert float(mass) == pytest.approx(1, abs=1e-4)
    assert math.isinf(reach) or heavy_log_density(SCALE * 40, SCALE.log(), EXPONENT, 2.0) < -1e9


def test_its_mass_is_the_integral_of_its_density():
    log_radius = torch.linspace(-25, math.log(0.7), 100_001).double()
    square = (2 * log_radius).exp()
    density = heavy_log_density(square, SCALE.log(), EXPONENT).exp()
    mass = torch.trapezoid(density * 2 * math.pi * square, log_radius)
    assert float(log_mass(SCALE.log(), EXPONENT, 0.7).exp()) == pytest.approx(float(mass), rel=1e-5)


@pytest.mark.parametrize("reach", [2.0, math.inf])
def test_drawn_distances_have_its_mass(reach):
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(0)).double()
    radius = heavy_radius(uniform, SCALE, EXPONENT, reach).numpy()
    whole = 1.0 if math.isinf(reach) else float(log_mass(SCALE.log(), EXPONENT, reach).exp())

    def below(r: np.ndarray) -> np.ndarray:
        return (1 - (1 + (r / 0.3) ** 2) ** (1 - 1.6)) / whole

    assert kstest(radius, below).pvalue > 0.01
    assert radius.max() <= reach * (1 + 1e-9)


def test_points_on_a_circle_lie_in_all_directions():
    turn = torch.rand(5000, generator=torch.Generator().manual_seed(1)).double()
    points = on_circle(torch.full((5000,), 2.0).double(), turn)
    torch.testing.assert_close(points.norm(dim=-1), torch.full((5000,), 2.0).double())
    assert points.mean(0).abs().max() < 0.1
