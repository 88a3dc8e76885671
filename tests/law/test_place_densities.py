"""Kernels around places, of which some are addresses that repeat."""

import numpy as np

from smash.law.place_densities import KernelFit


def test_no_kernel_is_narrower_than_half_the_least_distance_of_two_places():
    rng = np.random.default_rng(0)
    lattice = rng.integers(0, 100_000, (60, 2)) / 1e5
    places = lattice[rng.integers(0, 60, 600)]
    kernels = KernelFit(places, neighbours=5)
    step = np.linalg.norm(lattice[:, None] - lattice, axis=-1)
    assert kernels.bandwidth.min() == step[step > 0].min() / 2
    density = kernels.density(np.ones(600), 0.05)
    assert density.log_density(places).max() < np.log(1 / kernels.bandwidth.min() ** 2)
