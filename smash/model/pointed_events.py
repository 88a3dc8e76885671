"""What a law that points at the past makes of its past events, kept while paths grow.

`smash.model.history_head` works out the keys of a context's last R events anew. A path that grows
by an event needs less: what depends on an event alone is worked out once (for what all paths share,
once for all of them), and how crowded an event is follows from the event that came and the one that
is among the latest no more. What is left are three features an event and two small products.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from smash.blocks import event_blocks
from smash.model.key_features import LATEST, closeness, of_crowd, of_rank, of_square, of_time
from smash.model.location_head import GrowingTerms

if TYPE_CHECKING:
    from smash.model.history_head import HistoryHead

AGE, GAP, RANK, LAST, PREVIOUS, CROWD, MARK = range(7)
"""Where a key's features (`smash.model.key_features`) enter; those of the mark from `MARK` on."""


@dataclass(frozen=True)
class _Events:
    """L events, oldest first, that all paths share (1, L) or that each path has itself (P, L).

    `time` since the last shared event; `place` (…, 2); `mark`; `logit` and `log_scale`, what its
    mark and magnitude say of them; `previous`, the feature of the distance to the event before;
    `fixed` (…, H), what the features that never change give a key.
    """

    time: Tensor
    place: Tensor
    logit: Tensor
    log_scale: Tensor
    previous: Tensor
    fixed: Tensor

    def __len__(self) -> int:
        return self.time.shape[1]

    def each(self, change: Callable[[Tensor], Tensor]) -> "_Events":
        return _Events(*(change(part) for part in vars(self).values()))

    def beside(self, later: "_Events") -> "_Events":
        pairs = zip(vars(self).values(), vars(later).values(), strict=True)
        return _Events(*(torch.cat(pair, dim=1) for pair in pairs))


class PointedEvents(GrowingTerms):
    """The last R events of P paths, for a `HistoryHead` in evaluation mode.

    `to_last` and `crowd` (1 or P, L) are squared distances to the last event, in those of the
    kernel, and sums of closeness to the latest events, of shared and own events alike.
    """

    def __init__(self, head: "HistoryHead", told: Tensor, n_paths: int) -> None:
        """Takes a history that all paths share (1, L, F), or one of each (P, L, F)."""
        self.head, self.n_paths, self.few = head, n_paths, head.parametric()
        self.unit = self.few.log_scale.exp().square()
        self.n_latest = min(LATEST, head.n_recent)
        self.dynamic = head.key_hidden.weight[:, [AGE, LAST, CROWD]]
        self.of_hidden = torch.cat([head.key.weight, head.key_start.weight])
        self.bias = torch.cat([head.key.bias, head.key_start.bias])[:, None]
        gap, place, mark, magnitude = self._parts(told[:, -head.n_recent :])
        time = gap.cumsum(1) - gap.sum(1, keepdim=True)
        apart = self._square(place[:, 1:] - place[:, :-1])
        to_previous = torch.cat([0 * gap[:, :1], apart], dim=1)
        events = self._events(time, gap, place, mark, magnitude, to_previous)
        nothing = events.each(lambda part: part[:, :0])
        if len(told) == n_paths > 1:
            self.shared, self.own_events = nothing.each(lambda part: part[:1]), events
        else:
            self.shared = events
            self.own_events = nothing.each(lambda part: part.expand(n_paths, *part.shape[1:]))
        self.now = torch.zeros(n_paths, device=told.device)
        self.to_last = self._square(place - place[:, -1:])
        between = self._square(place.unsqueeze(2) - place[:, None, -LATEST:])
        self.crowd = closeness(between).sum(-1)

    def append(self, told: Tensor) -> None:
        gap, place, mark, magnitude = self._parts(told.unsqueeze(1))
        n_before = len(self.shared) + len(self.own_events)
        to_new = self._squares(place)
        close = closeness(to_new.clone())
        crowd = self.crowd + close
        if n_before >= self.n_latest:
            crowd = crowd - closeness(self._squares(self._place(n_before - self.n_latest)))
        around = 1 + close[:, max(0, n_before - self.n_latest + 1) :].sum(1, keepdim=True)
        self.now = self.now + gap[:, 0]
        new = self._events(self.now.unsqueeze(1), gap, place, mark, magnitude, to_new[:, -1:])
        self.own_events = self.own_events.beside(new)
        self.crowd = torch.cat([crowd, around], dim=1)
        self.to_last = torch.cat([to_new, torch.zeros_like(gap)], dim=1)
        if n_before == self.head.n_recent:
            self._forget_first()

    def keep(self, rows: Tensor) -> None:
        self.n_paths, self.now = len(rows), self.now[rows]
        if len(self.own_events):
            self.crowd, self.to_last = self.crowd[rows], self.to_last[rows]
        self.own_events = self.own_events.each(lambda part: part[rows])

    def own(self) -> tuple[Tensor, ...]:
        n_events = len(self.shared) + len(self.own_events)
        # Before they have events of their own, all paths are the same.
        n_rows = self.n_paths if len(self.own_events) else 1
        blocks = event_blocks(n_rows, n_events * self.head.key_hidden.out_features)
        parts = [self._keys(rows) for rows in blocks]
        found = (torch.cat(part) for part in zip(*parts, strict=True))
        return tuple(part.expand(self.n_paths, *part.shape[1:]) for part in found)

    def _keys(self, rows: slice) -> tuple[Tensor, ...]:
        """Returns `own` of the terms of some paths, as `HistoryHead.terms` says."""
        head = self.head
        shared, own = self.shared, self.own_events.each(lambda part: part[rows])
        now = self.now[rows, None]
        age = torch.cat([now - shared.time, now - own.time], dim=1)
        parts = of_time(age), of_square(self.to_last[rows]), of_crowd(self.crowd[rows])
        weight = head.key_hidden.weight
        # Events last, so that products run over what lies side by side.
        hidden = _mapped(self.dynamic, torch.stack(parts, dim=1))
        n_shared, n = len(shared), age.shape[1]
        rank = torch.arange(n - 1, -1, -1, device=age.device, dtype=age.dtype)
        of_ranks = of_rank(rank)[:, None] * weight[:, RANK]
        hidden[..., :n_shared] += (shared.fixed + of_ranks[:n_shared]).mT.contiguous()
        hidden[..., n_shared:] += (own.fixed + of_ranks[n_shared:]).mT
        # What came before the first of them is not known to the law.
        first = shared if n_shared else own
        hidden[..., 0] -= first.previous[:, :1] * weight[:, PREVIOUS]
        out = _mapped(self.of_hidden, hidden.relu_()).add_(self.bias)
        start, scale = out[:, -2:].unbind(1)
        logit = self._together(shared.logit, own.logit) + start
        log_scale = head.at_least(self._together(shared.log_scale, own.log_scale) + scale)
        place = self._together(shared.place, own.place)
        return logit, age, place, log_scale, out[:, :-2].mT, head.followed(place.flip(1))

    def _parts(self, told: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns gaps, places (…, 2), marks and magnitudes (…) of what is told of events."""
        plane, mark = self.head.plane, (told[..., 3].long() - 1).clamp_min(0)
        gap, place = self.head.gaps(told[..., 0]), plane.places(told[..., 1:3])
        return gap, place, mark, plane.magnitudes(told)

    def _events(
        self,
        time: Tensor,
        gap: Tensor,
        place: Tensor,
        mark: Tensor,
        magnitude: Tensor,
        to_previous: Tensor,
    ) -> _Events:
        weight, previous = self.head.key_hidden.weight, of_square(to_previous)
        fixed = self.head.key_hidden.bias + self.head.mark(mark) @ weight[:, MARK:].mT
        for feature, at in ((of_time(gap), GAP), (previous, PREVIOUS)):
            fixed = fixed + feature.unsqueeze(-1) * weight[:, at]
        logit, log_scale = (
            of(mark, magnitude) for of in (self.few.logit_of, self.few.log_scale_of)
        )
        return _Events(time, place, logit, log_scale, previous, fixed)

    def _place(self, event: int) -> Tensor:
        """Returns where an event was, (1 or P, 1, 2)."""
        n_shared = len(self.shared)
        if event < n_shared:
            return self.shared.place[:, event, None]
        return self.own_events.place[:, event - n_shared, None]

    def _squares(self, place: Tensor) -> Tensor:
        """Returns (P, L) squared distances of all events to places (1 or P, 1, 2)."""
        return self._together(
            self._square(self.shared.place - place), self._square(self.own_events.place - place)
        )

    def _square(self, away: Tensor) -> Tensor:
        x, y = away.unbind(-1)
        return (x.square() + y.square()) / self.unit

    def _together(self, shared: Tensor, own: Tensor) -> Tensor:
        """Returns (P, L, …) of shared (1 or P, S, …) and own ones (P, K, …)."""
        return torch.cat([shared.expand(len(own), *shared.shape[1:]), own], dim=1)

    def _forget_first(self) -> None:
        self.crowd, self.to_last = self.crowd[:, 1:], self.to_last[:, 1:]
        if len(self.shared):
            self.shared = self.shared.each(lambda part: part[:, 1:])
        else:
            self.own_events = self.own_events.each(lambda part: part[:, 1:])


def _mapped(weight: Tensor, x: Tensor) -> Tensor:
    """Returns W x (N, n_out, L) of W (n_out, n_in) and x (N, n_in, L)."""
    return torch.bmm(weight.expand(len(x), -1, -1), x)
