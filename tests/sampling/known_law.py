"""A network whose law is known in closed form, to try samplers on."""

import torch
from torch import Tensor

from smash.scorenet import AtTime, Evaluation


class KnownLaw:
    """Exponential time and a normal location, whatever the context.

    Marks 0 and 1 have intensities 3 and 1, so that time counted from -1 has rate 4; the location
    is N(0.1, 0.2² I).
    """

    n_marks = 2
    rates = (3.0, 1.0)
    base = None
    location = None
    law_grid = None

    def terms(self, context: Tensor) -> Tensor:
        return context

    def __call__(self, z: Tensor, terms: Tensor, mark: Tensor | None = None) -> Evaluation:
        at_time = self.at_time(z[..., :1], terms)
        score = self.location_score(z[..., 1:], at_time.mixed, terms)
        return Evaluation(at_time.intensity, at_time.intensity_slope, score)

    def at_time(self, t: Tensor, terms: Tensor) -> AtTime:
        intensity = t.new_tensor(self.rates).expand(*t.shape[:-1], 2)
        return AtTime(intensity, torch.zeros_like(intensity), torch.zeros_like(t))

    def with_mark(self, mixed: Tensor, mark: Tensor | None) -> Tensor:
        return mixed

    def location_score(self, x: Tensor, mixed: Tensor, terms: Tensor) -> Tensor:
        return (0.1 - x) / 0.04
