"""Histories that grow event by event, encoded without encoding the past again.

A layer's attention looks back at keys and values that never change, and an LSTM at its state: both
are kept, so that an event more costs one query. Paths of one history share its keys and values.
"""

import torch
from torch import Tensor, nn

from smash.data.batching import Batch
from smash.model.encoder import Encoder, EncoderLayer

FIRST_PLACES = 32


class GrowingHistories:
    """P continuations of one history; gives what `Encoder` would give for each as a whole.

    `encoding` (P, G d) is what is known after the last event of each, and `context` (P, C) that
    with what the recent events were beside it. Where they grow beyond the encoder's window, the
    last half window is encoded afresh, as the encoder does; so the cost of an event does not grow
    with the number of events before the window.
    """

    encoding: Tensor
    _told: list[Tensor]
    _times: Tensor | None
    _shared_inputs: Tensor
    _own_inputs: list[Tensor]
    _seen: list["Seen"]
    _memory: tuple[Tensor, Tensor]

    def __init__(self, encoder: Encoder, history: Batch, n_paths: int) -> None:
        """Takes a history that all paths share, a batch of one sequence, or one of each path."""
        self.encoder, self.n_paths, self._step = encoder, n_paths, LstmStep(encoder.lstms)
        x = encoder.embed(history)
        self._told = [encoder.told(history)[:, -max(1, encoder.n_recent) :]]
        # Only what is periodic asks for times of before.
        self._times = history.time.expand(n_paths, -1) if encoder.periods else None
        half = encoder.max_context // 2
        beyond = max(0, x.shape[2] - encoder.max_context)
        self._begin(x[:, :, -(-beyond // half) * half :])

    def append(self, event: Batch) -> None:
        """Adds one event (P, 1) to each path."""
        half = self.encoder.max_context // 2
        if self.encoder.n_recent:
            self._told = [*self._told, self.encoder.told(event)][-self.encoder.n_recent :]
        if self.length == self.encoder.max_context:
            self._begin(self._inputs()[:, :, -half:])
        x = self.encoder.embed(event, self._times)
        if self._times is not None:
            self._times = torch.cat([self._times, event.time], dim=1)
        self._own_inputs.append(x)
        embedded = x
        for layer, seen in zip(self.encoder.layers, self._seen, strict=True):
            assert isinstance(layer, EncoderLayer)
            query, key, value = layer.heads(x)
            seen.append(key, value)
            x = layer.after_attention(x, seen.attended(query))
        self._known(*self._step(x[:, :, 0], *self._memory), embedded)

    def keep(self, rows: Tensor) -> None:
        """Goes on with the paths `rows` alone."""
        self.encoding = self.encoding[rows]
        self._times = None if self._times is None else self._times[rows]
        self._told = [told if len(told) == 1 else told[rows] for told in self._told]
        for seen in self._seen:
            seen.keep(rows)
        self._own_inputs = [x[:, rows] for x in self._own_inputs]
        hidden, cell = self._memory
        self._memory = hidden[:, rows], cell[:, rows]
        self.n_paths = len(rows)

    @property
    def context(self) -> Tensor:
        """What is known after the last event of each path, (P, C)."""
        told = [part.expand(self.n_paths, -1, -1) for part in self._told]
        encoding = self.encoding.unsqueeze(1)
        return self.encoder.beside_recent(encoding, torch.cat(told, dim=1))[:, 0]

    @property
    def length(self) -> int:
        """Events in the window."""
        return self._shared_inputs.shape[2] + len(self._own_inputs)

    def _inputs(self) -> Tensor:
        """Returns the streams' inputs of the window (G, P, L, d); (G, 1, L, d) if all shared."""
        if not self._own_inputs:
            return self._shared_inputs
        shared = self._shared_inputs.expand(-1, self.n_paths, -1, -1)
        return torch.cat([shared, *self._own_inputs], dim=2)

    def _begin(self, x: Tensor) -> None:
        """Starts a window with inputs (G, P, L, d), or (G, 1, L, d) for what all paths share."""
        shared = x.shape[1] == 1
        self._shared_inputs = x if shared else x[:, :1, :0]
        self._own_inputs = [] if shared else list(x.split(1, dim=2))
        self._seen, embedded = [], x
        for layer in self.encoder.layers:
            assert isinstance(layer, EncoderLayer)
            query, key, value = layer.heads(x)
            self._seen.append(Seen(key, value, shared))
            x = layer.after_attention(x, layer.attended(query, key, value))
        states = [lstm(stream)[1] for lstm, stream in zip(self.encoder.lstms, x, strict=True)]
        hidden, cell = (torch.cat(part) for part in zip(*states, strict=True))
        self._known(hidden, cell, embedded)
        if shared:
            self.encoding = self.encoding.expand(self.n_paths, -1)
            self._memory = hidden.expand(-1, self.n_paths, -1), cell.expand(-1, self.n_paths, -1)

    def _known(self, hidden: Tensor, cell: Tensor, embedded: Tensor) -> None:
        """Sets what is known when the LSTMs have come to the states (G, P, 4 d)."""
        self._memory = hidden, cell
        self.encoding = self.encoder.encoding(hidden.unsqueeze(2), embedded[:, :, -1:])[:, 0]


class LstmStep:
    """One step of several LSTMs of one size, all of them at once."""

    def __init__(self, lstms: nn.ModuleList) -> None:
        def stacked(name: str) -> Tensor:
            return torch.stack([getattr(lstm, f"{name}_l0") for lstm in lstms])

        self.input, self.state = (stacked(f"weight_{end}").mT for end in ("ih", "hh"))
        self.bias = (stacked("bias_ih") + stacked("bias_hh")).unsqueeze(1)

    def __call__(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the new states (G, P, h) after inputs x (G, P, d)."""
        gates = torch.baddbmm(torch.baddbmm(self.bias, x, self.input), hidden, self.state)
        enter, stay, new, leave = gates.chunk(4, dim=-1)
        cell = torch.addcmul(stay.sigmoid() * cell, enter.sigmoid(), new.tanh())
        return leave.sigmoid() * cell.tanh(), cell


class Seen:
    """Keys and values of one layer: of events all paths share, and of each path's own."""

    def __init__(self, key: Tensor, value: Tensor, shared: bool) -> None:
        """Takes keys and values (G, P, H, L, d_head); with `shared`, P is 1."""
        self.shared = (key[:, 0], value[:, 0]) if shared else (key[:, 0, :, :0], value[:, 0, :, :0])
        self.n_own = 0 if shared else key.shape[3]
        self._own = None if shared else (key.contiguous(), value.contiguous())

    def append(self, key: Tensor, value: Tensor) -> None:
        """Adds one event's (G, P, H, 1, d_head); room is made for twice as many when it is out."""
        if self._own is None or self.n_own == self._own[0].shape[3]:
            self._own = (self._roomier(key, 0), self._roomier(value, 1))
        for kept, new in zip(self._own, (key, value), strict=True):
            kept[:, :, :, self.n_own] = new[:, :, :, 0]
        self.n_own += 1

    def keep(self, rows: Tensor) -> None:
        """Goes on with the paths `rows` alone."""
        if self._own is not None:
            key, value = self._own
            self._own = (key[:, rows], value[:, rows])

    def attended(self, query: Tensor) -> Tensor:
        """Returns what queries (G, P, H, 1, d_head) take from all keys, in the same shape."""
        assert self._own is not None
        n_streams, n_paths, n_heads, _, size = query.shape
        query = query * size**-0.5
        key, value = (part[:, :, :, : self.n_own].flatten(0, 2) for part in self._own)
        to_own = torch.bmm(query.flatten(0, 2), key.mT).view(n_streams, n_paths, n_heads, -1)
        shared_key, shared_value = self.shared
        by_head = query[:, :, :, 0].transpose(1, 2)  # (G, H, P, d_head)
        to_shared = (by_head @ shared_key.mT).transpose(1, 2)
        n_shared = to_shared.shape[-1]
        weights = torch.cat([to_shared, to_own], dim=-1).softmax(-1)
        own = torch.bmm(weights[..., n_shared:].flatten(0, 2)[:, None], value)
        from_shared = weights[..., :n_shared].transpose(1, 2) @ shared_value
        return own.view(query.shape) + from_shared.transpose(1, 2)[:, :, :, None]

    def _roomier(self, new: Tensor, part: int) -> Tensor:
        places = max(FIRST_PLACES, 2 * self.n_own)
        buffer = new.new_empty(*new.shape[:3], places, new.shape[4])
        if self._own is not None:
            buffer[:, :, :, : self.n_own] = self._own[part][:, :, :, : self.n_own]
        return buffer
