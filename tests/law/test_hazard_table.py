"""Laws from tabulated hazards: densities integrate, draws agree."""

import numpy as np
import torch

from smash.law.hazard_table import HazardTable

AT = np.concatenate([[0.0], np.geomspace(1e-4, 40, 400)])
RATE = np.array([0.5, 2.0])
EXPONENTIAL = HazardTable(AT, RATE[:, None] * AT)
DEFECTIVE = HazardTable(AT, np.array([[1.0], [3.0]]) * (1 - np.exp(-AT)))
GAPS = np.tile(np.linspace(0, 60, 200_001), (2, 1))


def draws(law, n=20_000):
    return law.draw(n, torch.Generator().manual_seed(1))


def test_a_steady_hazard_is_an_exponential():
    gap = np.array([[0.01, 3.0, 55.0], [0.2, 1.0, 50.0]])
    np.testing.assert_allclose(EXPONENTIAL.log_survival(gap), -RATE[:, None] * gap, rtol=1e-9)
    expected = np.log(RATE)[:, None] - RATE[:, None] * gap
    np.testing.assert_allclose(EXPONENTIAL.log_density(gap), expected, rtol=1e-9)
    np.testing.assert_allclose(draws(EXPONENTIAL).mean(axis=1), 1 / RATE, rtol=0.03)


def test_the_density_is_what_survival_loses():
    density = np.exp(DEFECTIVE.log_density(GAPS))
    lost = 1 - np.exp(DEFECTIVE.log_survival(GAPS[:, -1:]))[:, 0]
    np.testing.assert_allclose(np.trapezoid(density, GAPS, axis=1), lost, rtol=1e-3)


def test_what_never_comes_is_drawn_as_often_as_it_should():
    never = np.isinf(draws(DEFECTIVE)).mean(axis=1)
    np.testing.assert_allclose(never, np.exp([-1.0, -3.0]), atol=0.01)
    assert np.isneginf(DEFECTIVE.log_density(np.array([[-1.0], [-1.0]]))).all()
