r"""The intensity of a fitted self-exciting process, as a start for a network to correct.

With the process of `smash.simulate.process` after the last event, a gap τ ago,

    λ(τ, k) = μ_k + β exp(−β τ) Σ_i A[k_i, k] exp(−β age_i)

over the last R events. On the z scale of gaps it is that times dτ/dz. A network's factor of 1
leaves it as it is, so that an untrained model is as good as the process and training can only add.
"""

import torch
from torch import Tensor, nn

from smash.model.hazard_base import HazardBase
from smash.model.location_head import Context
from smash.model.plane import Plane, RecentEvents, recent_events
from smash.simulate.process import HawkesProcess


class FadingRates(nn.Module):
    """μ (K,), A (K, K) and β of a process, as `FadingRates(3)`.

    `start_at` or a checkpoint fills them.
    """

    background: Tensor
    excitation: Tensor
    decay: Tensor

    def __init__(self, n_marks: int) -> None:
        super().__init__()
        self.register_buffer("background", torch.ones(n_marks))
        self.register_buffer("excitation", torch.zeros(n_marks, n_marks))
        self.register_buffer("decay", torch.ones(()))

    def start_at(self, process: HawkesProcess, unit: float = 1.0) -> None:
        """Takes on the rates of a process, `unit` of whose time is one here."""
        self.background.copy_(torch.from_numpy(process.background * unit))
        self.excitation.copy_(torch.from_numpy(process.excitation))
        self.decay.fill_(process.decay * unit)

    def excited(self, past: RecentEvents) -> Tensor:
        """Returns how many events of each mark N histories are still to excite, (N, K)."""
        fading = torch.exp(-self.decay * past.age).masked_fill(~past.present, 0)
        by_mark = fading.new_zeros(len(fading), len(self.background))
        return by_mark.scatter_add(1, past.mark, fading) @ self.excitation

    @property
    def sound(self) -> bool:
        """True for rates that a process can have."""
        least = torch.cat([self.background, self.excitation.flatten()]).min()
        return bool(least >= 0 and self.background.sum() > 0 and self.decay > 0)

    def log_rates(self, parent: Tensor, mark: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns log μ_k (N, Q) and log(β A[k_i, k]), (N, Q, R), at no age.

        Of marks k (N, Q) and parents' (N, R); without marks summed over them, (N, 1) each.
        """
        tiny = torch.finfo(self.decay.dtype).tiny
        if mark is None:
            background = self.background.sum().expand(len(parent), 1)
            offspring = self.excitation.sum(1)[parent].unsqueeze(1)
        else:
            background = self.background[mark]
            offspring = self.excitation[parent.unsqueeze(1), mark.unsqueeze(-1)]
        return background.clamp_min(tiny).log(), (self.decay * offspring).clamp_min(tiny).log()


class SelfExcitingHazard(HazardBase):
    """The formula above, `known` being what the histories are still to excite, (N, K)."""

    def __init__(self, n_marks: int, plane: Plane) -> None:
        super().__init__()
        self.rates, self.plane = FadingRates(n_marks), plane

    def known(self, context: Context) -> tuple[Tensor, ...]:
        return (self.rates.excited(recent_events(context.events, self.plane, recorded=True)),)

    def intensity(self, t: Tensor, *known: Tensor) -> Tensor:
        gap, pace = self.plane.gaps(t), self.plane.pace(t)
        return (self.rates.background + self._excitation(gap, known[0])) * pace

    def intensity_with_slope(self, t: Tensor, *known: Tensor) -> tuple[Tensor, Tensor]:
        gap, pace = self.plane.gaps(t), self.plane.pace(t)
        excitation = self._excitation(gap, known[0])
        intensity = (self.rates.background + excitation) * pace
        fading = -self.rates.decay * excitation * pace.square()
        return intensity, fading + self.plane.scaler.gap_growth * intensity

    def _excitation(self, gap: Tensor, excited: Tensor) -> Tensor:
        decay = self.rates.decay
        return decay * torch.exp(-decay * gap) * excited.unsqueeze(1)
