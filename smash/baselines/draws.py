"""Draws from training data: smoothed points, and marks from their probabilities."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from smash.law.samples import Samples

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class KernelDensity:
    """A Gaussian kernel density on `points` (P, 2), drawn from without being evaluated.

    A draw is one of the points plus a step of covariance h² times the points' own, with Scott's
    h = P^(-1/6) (D. W. Scott, Multivariate Density Estimation, 1992). `step` (2, 2) turns
    standard normal pairs into such steps.
    """

    points: Floats
    step: Floats

    @classmethod
    def of(cls, points: Floats) -> "KernelDensity":
        """Returns the density on `points` (P, 2); one point alone is drawn as it is."""
        covariance = np.cov(points.T, bias=True).reshape(2, 2)
        # By eigenvectors, as points on a line have no Cholesky factor.
        variance, direction = np.linalg.eigh(covariance)
        root = direction * np.sqrt(np.maximum(variance, 0.0))
        return cls(points, len(points) ** (-1 / 6) * root)

    def draw(self, shape: tuple[int, ...], numbers: Generator) -> Floats:
        """Returns draws (*shape, 2) in the points' unit."""
        drawn = self.points[numbers.integers(len(self.points), size=shape)]
        return drawn + numbers.standard_normal((*shape, 2)) @ self.step.T


def frequencies(mark: Integers, n_marks: int, smoothing: float) -> Floats:
    """Returns (K,) shares of the marks, each counted `smoothing` events more than it occurred."""
    counts = np.bincount(mark, minlength=n_marks) + smoothing
    return counts / counts.sum()


def with_marks(
    gap: Floats, location: Floats, probability: Floats | None, numbers: Generator
) -> Samples:
    """Returns samples whose marks (N, S) are drawn from `probability` (N, K), whatever the gap."""
    if probability is None:
        return Samples(gap, location)
    n_events, n_samples = gap.shape
    below = probability.cumsum(axis=1)[:, None, :-1]
    mark = (numbers.random((n_events, n_samples, 1)) >= below).sum(axis=2)
    mode = np.repeat(probability.argmax(axis=1)[:, None], n_samples, axis=1)
    return Samples(gap, location, mark, mode, probability)
