"""The location as a fitted self-exciting process has it, its shares corrected by a network.

p(x | t, k, history) = w₀ N(x; c, diag b²) + Σ_i w_i N(x; x_i, diag s_i²) over the last R events,

    log w₀ ∝ log μ_k + a₀(t, k, context),
    log w_i ∝ log(β A[k_i, k]) − β (t − t_i) + a_i + q(t, k, context) · κ_i,
    log s_i = log s + g_i,

with a, q, κ and g as in `smash.model.pointing_head`. Untrained it is the process's own law
(`smash.simulate.process`); of a model without `mark_in_location`, that with the marks summed out.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from smash.data.events import EventSequences
from smash.data.scaling import Scaler
from smash.errors import CheckpointError
from smash.law.gaussian_mixtures import LocationLaw
from smash.model.location_head import Given, LocationTerms
from smash.model.plane import Plane, RecentEvents
from smash.model.pointing_head import PointingHead
from smash.model.self_exciting_base import FadingRates
from smash.simulate.hawkes_fit import FittedHawkes

LEAST_SCALE = 2e-4
"""Spread that training may shrink to, as a share of half the box, if not a quarter of a cell."""


class SelfExcitingHead(PointingHead):
    """The law above, `SelfExcitingHead(64, 32, 128, 3, plane)` of K = 3 marks and R = 128 events.

    `center`, `scale` and `spread` (2,), in the plane's units, are c, b and s.
    """

    center: Tensor
    scale: Tensor
    spread: Tensor
    recorded_gaps = True

    def __init__(
        self, n_encoded: int, units: int, n_recent: int, n_marks: int, plane: Plane
    ) -> None:
        super().__init__(n_encoded, n_recent, plane)
        self.rates = FadingRates(n_marks)
        self.register_buffer("center", torch.zeros(2))
        self.register_buffer("scale", torch.ones(2))
        self.register_buffer("spread", torch.ones(2))
        self.make_networks(units, n_marks, n_apart=1)
        least = np.maximum(LEAST_SCALE * np.array(plane.unit), np.array(plane.cell) / 4)
        self.least_spread = tuple(float(part) for part in least)

    @torch.no_grad()
    def start_at(self, fitted: FittedHawkes, train: EventSequences, scaler: Scaler) -> None:
        """Takes on a process that was fitted to `train`."""
        unit = float(train.gap[train.is_target].mean())
        self.log_unit_time.fill_(np.log(unit))
        self.rates.start_at(fitted.process, unit)
        z = torch.from_numpy(2 * scaler.scale_location(fitted.center) - 1)
        self.center.copy_(self.plane.places(z))
        low, high = np.array(scaler.location_low), np.array(scaler.location_high)
        of_plane = fitted.scale * 2 / (high - low) * np.array(self.plane.unit)
        self.scale.copy_(torch.from_numpy(fitted.process.background_spread * of_plane))
        self.spread.copy_(torch.from_numpy(fitted.process.spread * of_plane))

    def of_events(self, past: RecentEvents) -> tuple[Tensor, ...]:
        """Returns of the R events what is added to their logits (N, R), how long before the last
        one they were, over τ (N, R), place in the plane (N, R, 2), mark (N, R), what is added to
        log s (N, R) and key (N, R, D).
        """
        start, scale, key = self.keys(past, self.spread.log().mean().exp())
        start = start.masked_fill(~past.present, -torch.inf)
        return start, past.age, past.place, past.mark, scale, key

    def law(self, given: Given, terms: LocationTerms) -> LocationLaw:
        start, age, place, parent, log_scale, key = terms.own
        asked = self.asked(self.hidden_layer(given))
        background, offspring = self.rates.log_rates(parent, given.mark)
        elapsed = self.gaps(given.time) + age.unsqueeze(1)
        logit = torch.baddbmm(start.unsqueeze(1), asked[..., 1:], key.mT)
        logit = logit + offspring - self.rates.decay * elapsed
        apart = asked[..., :1] + background.unsqueeze(-1)
        log_weight = torch.cat([apart, logit], dim=-1).log_softmax(-1)
        return LocationLaw(log_weight, *self._components(place, log_scale))

    def _components(self, place: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
        """Returns means (N, 1, 1 + R, 2) and roots (N, 1, 1 + R, 3), the background's first."""
        least = torch.minimum(self.spread, self.spread.new_tensor(self.least_spread))
        spread = torch.maximum(self.spread * log_scale.exp().unsqueeze(-1), least)
        n = (len(place), 1, 2)
        mean = torch.cat([self.center.expand(n), place], dim=1)
        scale = torch.cat([self.scale.expand(n), spread], dim=1)
        root = torch.cat([scale, torch.zeros_like(scale[..., :1])], dim=-1)
        return mean.unsqueeze(1), root.unsqueeze(1)


def check_process(model: nn.Module, path: Path) -> None:
    """Checks the process that came with a model's weights from a file.

    Raises:
        CheckpointError: when there can be none such.
    """
    for part in model.modules():
        odd = isinstance(part, FadingRates) and not part.sound
        if isinstance(part, SelfExcitingHead):
            odd = bool(torch.cat([part.scale, part.spread]).min() <= 0)
        if odd:
            raise CheckpointError(
                f"{path}: the process that the model starts at is none (rates from 0 on, of them a "
                "background; a decay and spreads above 0); get the weights again, or train anew"
            )
