"""Histories that grow event by event, encoded without encoding the past again.

A layer's attention looks back at keys and values that never change, and an LSTM at its state: both
are kept, so that an event more costs one query. Paths of one history share its keys and values.
"""

import torch
from torch import Tensor

from smash.data.batching import Batch
from smash.model.encoder import Encoder, EncoderLayer

FIRST_PLACES = 32


class GrowingHistories:
    """P continuations of one history; gives what `Encoder` would give for each as a whole.

    `context` (P, C) is what is known after the last event of each. Where they grow beyond the
    encoder's window, the last half window is encoded afresh, as the encoder does; so the cost of
    an event does not grow with the number of events before the window.
    """

    context: Tensor
    _recent: Tensor
    _times: Tensor
    _shared_inputs: Tensor
    _own_inputs: list[Tensor]
    _seen: list["Seen"]
    _memory: list[tuple[Tensor, Tensor]]

    def __init__(self, encoder: Encoder, history: Batch, n_paths: int) -> None:
        """Takes a history that all paths share, a batch of one sequence, or one of each path."""
        self.encoder, self.n_paths = encoder, n_paths
        x = encoder.embed(history)
        self._times, self._recent = (
            history.time.expand(n_paths, -1),
            self._newest(encoder.told(history)),
        )
        half = encoder.max_context // 2
        beyond = max(0, x.shape[2] - encoder.max_context)
        self._begin(x[:, :, -(-beyond // half) * half :])

    def append(self, event: Batch) -> None:
        """Adds one event (P, 1) to each path."""
        half = self.encoder.max_context // 2
        before = self._recent.expand(self.n_paths, -1, -1)
        self._recent = self._newest(torch.cat([before, self.encoder.told(event)], dim=1))
        if self.length == self.encoder.max_context:
            self._begin(self._inputs()[:, :, -half:])
        x = self.encoder.embed(event, self._times)
        self._times = torch.cat([self._times, event.time], dim=1)
        self._own_inputs.append(x)
        embedded = x
        for layer, seen in zip(self.encoder.layers, self._seen, strict=True):
            assert isinstance(layer, EncoderLayer)
            query, key, value = layer.heads(x)
            seen.append(key, value)
            x = layer.after_attention(x, seen.attended(query))
        self._read(x, embedded)

    def keep(self, rows: Tensor) -> None:
        """Goes on with the paths `rows` alone."""
        self.context = self.context[rows]
        self._times = self._times[rows]
        self._recent = self._recent.expand(self.n_paths, -1, -1)[rows]
        for seen in self._seen:
            seen.keep(rows)
        self._own_inputs = [x[:, rows] for x in self._own_inputs]
        self._memory = [(hidden[:, rows], cell[:, rows]) for hidden, cell in self._memory]
        self.n_paths = len(rows)

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
        nothing = x.new_zeros(1, x.shape[1], 4 * x.shape[3])
        self._memory = [(nothing, nothing) for _ in x]
        self._read(x, embedded)
        if shared:
            self.context = self.context.expand(self.n_paths, -1)
            self._memory = [
                (hidden.expand(-1, self.n_paths, -1), cell.expand(-1, self.n_paths, -1))
                for hidden, cell in self._memory
            ]

    def _read(self, x: Tensor, embedded: Tensor) -> None:
        """Lets the LSTMs read the last layer's outputs x (G, P, L, d); sets the context."""
        outputs = [
            lstm(stream, (hidden.contiguous(), cell.contiguous()))
            for lstm, stream, (hidden, cell) in zip(
                self.encoder.lstms, x, self._memory, strict=True
            )
        ]
        last = torch.stack([states[:, -1:] for states, _ in outputs])
        self._memory = [state for _, state in outputs]
        encoding = self.encoder.encoding(last, embedded[:, :, -1:])
        self.context = self.encoder.beside_recent(encoding, self._recent)[:, 0]

    def _newest(self, told: Tensor) -> Tensor:
        """Returns of what is told of all events (P, L, F) what contexts tell of."""
        return told[:, max(0, told.shape[1] - self.encoder.n_recent) :]


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
