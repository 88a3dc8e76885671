"""Where in its periods an event lies, such as the day and the week, and what came there before.

A phase alone tells a network what training data did at that hour; how soon an event followed the
same hour on earlier days of the same history tells it what this history does.
"""

import math

import torch
from torch import Tensor

LOOKBACK = 7
"""Earlier periods that are looked at."""
SOONEST = 1e-3
"""Waits are told apart down to this share of a period."""
N_FEATURES = 5
"""Features of one period."""


def phase_features(
    time: Tensor, start: Tensor | None, seen: Tensor, periods: tuple[float, ...]
) -> Tensor:
    """Returns what a network is told of events (B, L) and P periods, (B, L, N_FEATURES P).

    Args:
        time: (B, L) raw times since the window's start.
        start: (B,) raw times of the windows' starts, float64; None for 0.
        seen: (B, T) times of all events up to and with those, increasing; padding is infinite.
        periods: P periods in raw units of time.
    """
    features = []
    for period in periods:
        absolute = time
        if start is not None:
            absolute = time + (start % period).to(time.dtype)[:, None]
        angle = 2 * math.pi / period * absolute
        phase = torch.stack([angle.sin(), angle.cos()], dim=-1)
        features += [phase, earlier_waits(time, seen, period)]
    return torch.cat(features, dim=-1)


def earlier_waits(time: Tensor, seen: Tensor, period: float) -> Tensor:
    """Returns how long the next event took after the same phase in earlier periods, (B, L, 3).

    Of `time` (B, L) and `seen` (B, T) as above: the log of the wait one period before, its mean
    over up to LOOKBACK periods before, both brought to about [-1, 1], and the share of these
    periods that the window holds. What is not held is 0.
    """
    periods_before = torch.arange(1, LOOKBACK + 1, device=time.device, dtype=time.dtype)
    then = time.unsqueeze(-1) - period * periods_before
    held = then >= 0
    flat = then.flatten(1).contiguous()
    place = torch.searchsorted(seen.contiguous(), flat, right=True)
    next_event = seen.gather(1, place.clamp_max(seen.shape[1] - 1))
    wait = (next_event - flat).view(then.shape) / period
    middle = -math.log(SOONEST) / 2
    wait = torch.where(held, (wait.clamp(SOONEST, 1 / SOONEST).log() + middle) / middle, 0.0)
    count = held.sum(-1)
    mean = wait.sum(-1) / count.clamp_min(1)
    return torch.stack([wait[..., 0], mean, count / LOOKBACK], dim=-1)
