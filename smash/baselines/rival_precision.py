"""A trained preset of Seahorse asked in double precision, and AutoSTPP's kernels read off tables.

Densities are differences of cumulative hazards. In single precision the hazard of a short gap has
lost most of its digits, and which of them depends on how many gaps are asked for at once: the law
after a history then differs from that within a sequence by hundredths of a nat.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NODES = 4096
"""Points of a table of a function of one variable."""
BEYOND = 1.25
"""Tables reach so much farther than the lags of training data."""


def in_double(adapter: Any) -> Any:
    """Returns the adapter, whose model and inputs are of double precision from now on."""
    adapter.model.double()

    def tensor(values: Any, dtype: object = None) -> Tensor:
        return torch.tensor(np.asarray(values), dtype=torch.float64, device=adapter.device)

    adapter.t = tensor
    return adapter


def with_tables(adapter: Any, longest: float) -> Any:
    """Returns AutoSTPP's adapter, whose kernels are looked up instead of computed.

    A kernel is a sum of products of monotone networks of one variable each, and a law after a
    history asks for thousands of values of every one.

    Args:
        adapter: that of a trained `auto_stpp`.
        longest: the longest time from an event to what it sets off, in raw units.
    """
    latest = BEYOND * longest / adapter.dt_range
    for products in (adapter.kernel.M, adapter.kernel.L):
        for net in products.nets:
            net.x_net, net.y_net = (
                CurveTable.of(axis, -2.0, 2.0) for axis in (net.x_net, net.y_net)
            )
            net.t_net = CurveTable.of(net.t_net, 0.0, latest, close_to_start=True)
    adapter.cum_hazard = partial(_cum_hazard, adapter)
    return adapter


@torch.no_grad()
def _cum_hazard(
    adapter: Any, prepared: Any, sequence: Integers, last: Integers, at: Floats
) -> Floats:
    """Returns (N, G) the hazard up to gaps `at` (G,) after the events `last` (N,).

    As the adapter's own, but for the share of a kernel's places in the region, which is no
    function of the gap and asked for once.
    """
    gap = adapter.t(np.maximum(adapter._tau_scaled(at), 0.0))
    place, age, _ = adapter._window_arrays(prepared, sequence, last)
    later = age[..., None] + gap
    total = adapter._bg() * gap.expand(len(last), -1)
    for sign, products in ((3.0, adapter.kernel.M), (-3.0, adapter.kernel.L)):
        for net in products.nets:
            x, y = (
                (axis(1 - place[..., i]) - axis(-place[..., i]))
                for i, axis in enumerate((net.x_net, net.y_net))
            )
            risen = net.t_net(later) - net.t_net(age)[..., None]
            total = total + sign * ((x * y)[..., None] * risen).sum(dim=1)
    return total.cpu().numpy()


class CurveTable(nn.Module):
    """A smooth function of one variable by its values and slopes at nodes, cubic in between.

    Nodes are even in the variable, or in log(1 + `stretch` × variable) where they are to be close
    near 0. Beyond the nodes it goes on with the last slope.
    """

    values: Tensor
    slopes: Tensor

    def __init__(self, low: float, step: float, stretch: float, values: Tensor, slopes: Tensor):
        super().__init__()
        self.low, self.step, self.stretch = low, step, stretch
        self.register_buffer("values", values)
        self.register_buffer("slopes", slopes)

    @classmethod
    def of(cls, net: Any, low: float, high: float, close_to_start: bool = False) -> "CurveTable":
        """Returns the table of a network `net` with `forward_with_grad` from `low` to `high`."""
        stretch = 1e4 / high if close_to_start else 0.0
        ends = [_even(torch.tensor(end, dtype=torch.float64), stretch) for end in (low, high)]
        even = torch.linspace(float(ends[0]), float(ends[1]), NODES, dtype=torch.float64)
        at = torch.expm1(even) / stretch if stretch else even
        with torch.no_grad():
            values, slopes = net.forward_with_grad(at[:, None])
        return cls(float(even[0]), float(even[1] - even[0]), stretch, values[:, 0], slopes[:, 0])

    def forward_with_grad(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the function and its slope at points (...), as the network's method does."""
        place = ((_even(at, self.stretch) - self.low) / self.step).floor()
        i = place.clamp(0, NODES - 2).long()
        start, end = self._node(i), self._node(i + 1)
        width = end - start
        share = (at - start) / width
        v0, v1 = self.values[i], self.values[i + 1]
        s0, s1 = self.slopes[i] * width, self.slopes[i + 1] * width
        rise = v1 - v0
        square, cube = 3 * rise - 2 * s0 - s1, s0 + s1 - 2 * rise
        inside = share.clamp(0.0, 1.0)
        slope = (s0 + inside * (2 * square + 3 * inside * cube)) / width
        value = v0 + inside * (s0 + inside * (square + inside * cube))
        return value + (share - inside) * width * slope, slope

    def forward(self, at: Tensor) -> Tensor:
        """Returns the function at points (...)."""
        return self.forward_with_grad(at)[0]

    def _node(self, number: Tensor) -> Tensor:
        even = self.low + number.to(self.values.dtype) * self.step
        return torch.expm1(even) / self.stretch if self.stretch else even


def _even(at: Tensor, stretch: float) -> Tensor:
    return torch.log1p(stretch * at.clamp(min=0.0)) if stretch else at
