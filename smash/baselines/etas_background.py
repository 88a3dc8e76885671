"""The background of ETAS: given, or kernels around the events that look spontaneous."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from smash.data.region import Region
from smash.law.place_densities import KernelFit, PlaceDensity

Floats = NDArray[np.float64]

LEAST_LOG = -700.0
"""Least log b of a given background: where it is nothing, events are all offspring."""
LEAST_SHARE, MOST_SHARE = 1e-6, 0.999


@dataclass
class Background:
    """A density b at the N targets of a fit, and how it is fitted; this one is known.

    `log_density` (N,) is log b at the targets.
    """

    density: PlaceDensity
    log_density: Floats
    known: ClassVar[bool] = True

    @classmethod
    def given(cls, density: PlaceDensity, places: Floats) -> "Background":
        """Returns the background of a density that is known, at the targets' places (N, 2)."""
        return cls(density, np.maximum(density.log_density(places), LEAST_LOG))

    def decluster(self, spontaneous: Floats) -> None:
        """Fits b to the probabilities (N,) that each target is no offspring; here, does nothing."""


@dataclass
class Declustered(Background):
    """Kernels around the targets, each with the probability that its event is no offspring.

    The stochastic declustering of J. Zhuang, Y. Ogata, D. Vere-Jones (Journal of the American
    Statistical Association 97 (2002) 369-380), but that a target's own kernel is left out of b
    there, so that narrow kernels are not taken for likely ones; the share of the wide part follows
    from how many spontaneous events it explains.
    """

    kernels: KernelFit = field(kw_only=True)
    wide_share: float = field(kw_only=True)
    known: ClassVar[bool] = False

    @classmethod
    def start(
        cls,
        places: Floats,
        neighbours: int,
        region: Region | None = None,
        wide_share: float = 0.05,
    ) -> "Declustered":
        """Returns the background under which each target at `places` (N, 2) may be spontaneous."""
        kernels = KernelFit(places, neighbours, region)
        weight = np.ones(len(places))
        found = cls(
            kernels.density(weight, wide_share),
            np.empty(len(places)),
            kernels=kernels,
            wide_share=wide_share,
        )
        found.decluster(weight)
        return found

    def decluster(self, spontaneous: Floats) -> None:
        near, wide = self.kernels.others(spontaneous, self.wide_share)
        share = (spontaneous * wide / (near + wide)).sum() / spontaneous.sum()
        self.wide_share = float(np.clip(share, LEAST_SHARE, MOST_SHARE))
        near, wide = self.kernels.others(spontaneous, self.wide_share)
        self.density = self.kernels.density(spontaneous, self.wide_share)
        self.log_density = np.log(near + wide) - np.log(self.density.mass)
