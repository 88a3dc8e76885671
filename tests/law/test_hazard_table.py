"""Laws from tabulated hazards: densities integrate, draws agree, a clock's cells hold all."""

import numpy as np
import pytest
import torch

from smash.data.resolution import GapCells
from smash.law.hazard_table import ClockedTimes, HazardTable

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


@pytest.mark.parametrize("lattice", [True, False])
def test_a_clock_s_cells_hold_all_of_the_law(lattice):
    law = ClockedTimes(EXPONENTIAL, GapCells(0.25, lattice))
    zero = np.exp(law.log_density(np.zeros((2, 1))))[:, 0]
    np.testing.assert_allclose(zero, 1 - np.exp(-RATE * 0.25), rtol=1e-6)
    if lattice:
        ticks = np.tile(np.arange(1, 300) * 0.25, (2, 1))
        later = 0.25 * np.exp(law.log_density(ticks)).sum(axis=1)
    else:
        later = np.trapezoid(np.exp(law.log_density(GAPS)), GAPS, axis=1)
    np.testing.assert_allclose(zero + later, 1.0, atol=2e-3)
    drawn = draws(law)
    np.testing.assert_allclose((drawn == 0).mean(axis=1), zero, atol=0.01)
    if lattice:
        np.testing.assert_allclose(drawn / 0.25, np.round(drawn / 0.25), atol=1e-9)
    for gap in (0.0, 0.25, 1.0, 1.1):
        within = law.cdf(np.full((2, 1), gap))[:, 0]
        np.testing.assert_allclose((drawn <= gap + 1e-9).mean(axis=1), within, atol=0.01)
