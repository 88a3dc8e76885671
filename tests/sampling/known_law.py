"""A network whose law is known in closed form, to try samplers on."""

from typing import NamedTuple

import torch
from torch import Tensor

from smash.model.location_head import Given
from smash.model.score_network import AtTime, Evaluation


class Terms(NamedTuple):
    """Nothing that a context adds."""

    location: tuple = ()


class KnownLaw:
    """Exponential time and a normal location, whatever the context.

    Marks 0 and 1 have intensities 3 and 1, so that time counted from -1 has rate 4; the location
    is N(0.1, 0.2² I).
    """

    n_marks, units = 2, 1
    rates = (3.0, 1.0)
    law_grid = law_growth = None
    gives_law = False

    @property
    def location(self) -> "KnownLaw":
        return self

    def terms(self, context: Tensor, own: None = None) -> Terms:
        return Terms()

    def __call__(self, z: Tensor, terms: Terms, mark: Tensor | None = None) -> Evaluation:
        at_time = self.at_time(z[..., :1], terms)
        score = self.score(z[..., 1:], self.given(z[..., :1], at_time.mixed, mark), ())
        return Evaluation(at_time.intensity, at_time.intensity_slope, score)

    def at_time(self, t: Tensor, terms: Terms) -> AtTime:
        intensity = t.new_tensor(self.rates).expand(*t.shape[:-1], 2)
        return AtTime(intensity, torch.zeros_like(intensity), torch.zeros_like(t))

    def given(self, t: Tensor, mixed: Tensor, mark: Tensor | None) -> Given:
        return Given(t, mixed)

    def draw_start(self, shape: tuple[int, int], generator: torch.Generator) -> None:
        return None

    def score(self, x: Tensor, given: Given, terms: tuple) -> Tensor:
        return (0.1 - x) / 0.04
