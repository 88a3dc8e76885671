"""What a network knows of the time, tabulated once for all draws of an event.

The time branch is most of the network's work, and time is its one input beside the context: a
table of it over a grid of times, linear between them, serves all draws and all steps.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from smash.model.score_network import AtTime, ContextTerms, ScoreNet


class TimeTable:
    """`ScoreNet.at_time` of N events, linear between the G points of an even grid.

    The trunk's layers are piecewise linear in time, so that only the cells that hold one of their
    kinks, and the softplus of the intensity, are not exact. Times beyond the grid count as its
    ends.
    """

    def __init__(self, network: ScoreNet, terms: ContextTerms, n_events: int, grid: Tensor) -> None:
        """Takes an even, increasing grid (G,)."""
        self.grid = grid
        self.at_grid = network.at_time(grid.expand(n_events, -1).unsqueeze(-1), terms)
        self._widths = [part.shape[-1] for part in self.at_grid]
        self._rows = torch.cat(self.at_grid, dim=-1).flatten(0, 1)
        self._first = torch.arange(n_events, device=grid.device).unsqueeze(1) * len(grid)

    def at_time(self, t: Tensor) -> AtTime:
        """Returns what depends on the time t (N, Q, 1) alone."""
        last = len(self.grid) - 1
        span = self.grid[-1] - self.grid[0]
        place = ((t.squeeze(-1) - self.grid[0]) * (last / span)).clamp(0, last)
        cell = place.long().clamp_max(last - 1)
        share = place - cell
        row = self._first + cell
        # A bag of two weighted rows is an interpolation in one pass.
        values = F.embedding_bag(
            torch.stack([row, row + 1], dim=-1).flatten(0, 1),
            self._rows,
            mode="sum",
            per_sample_weights=torch.stack([1 - share, share], dim=-1).flatten(0, 1),
        )
        return AtTime(*values.view(*row.shape, -1).split(self._widths, dim=-1))
