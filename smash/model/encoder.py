"""From history to context: self-attention and an LSTM over parallel streams of one sequence."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from smash.data.batching import Batch
from smash.data.rates import n_features
from smash.model.attention import causal_attention
from smash.model.dropout import dropout
from smash.model.phases import N_FEATURES, phase_features
from smash.settings import ModelSettings

MOST_PARTS = 32
"""Parts of its rows that a linear map's weight is asked for, on a GPU."""


class StreamLinear(nn.Module):
    """A linear map of each stream's own: (G, R, n_in) to (G, R, n_out)."""

    def __init__(self, n_streams: int, n_in: int, n_out: int, bias: bool = True) -> None:
        super().__init__()
        bound = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(torch.empty(n_streams, n_out, n_in).uniform_(-bound, bound))
        self.bias = (
            nn.Parameter(torch.empty(n_streams, 1, n_out).uniform_(-bound, bound)) if bias else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps x (G, R, n_in) to (G, R, n_out)."""
        weight, bias = self.weight.mT, self.bias
        if not x.is_cuda:
            return torch.bmm(x, weight) if bias is None else torch.baddbmm(bias, x, weight)
        # A GPU sums the weight's gradient over all rows in one place, unless they are in parts.
        parts = math.gcd(x.shape[1], MOST_PARTS)
        rows = x.unflatten(1, (parts, -1)) @ weight.unsqueeze(1)
        return rows.flatten(1, 2) if bias is None else rows.flatten(1, 2) + bias


class StreamNorm(nn.Module):
    """Layer normalisation with a gain and a shift of each stream's own: (G, R, d) to the same."""

    def __init__(self, n_streams: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_streams, 1, size))
        self.bias = nn.Parameter(torch.zeros(n_streams, 1, size))

    def forward(self, x: Tensor) -> Tensor:
        """Normalises the last axis of x (G, R, d)."""
        return torch.addcmul(self.bias, F.layer_norm(x, x.shape[-1:], eps=1e-6), self.weight)


class EncoderLayer(nn.Module):
    """Causal self-attention and a feed-forward block, post-norm, for all streams at once."""

    def __init__(self, n_streams: int, settings: ModelSettings) -> None:
        super().__init__()
        size, inner = settings.cond_dim, settings.n_heads * settings.d_head
        self.n_heads, self.dropout = settings.n_heads, settings.dropout
        self.query_key_value = StreamLinear(n_streams, size, 3 * inner, bias=False)
        self.out = StreamLinear(n_streams, inner, size)
        self.attention_norm = StreamNorm(n_streams, size)
        self.inner = StreamLinear(n_streams, size, 2 * size)
        self.outer = StreamLinear(n_streams, 2 * size, size)
        self.feed_forward_norm = StreamNorm(n_streams, size)
        for weight, fan_out in ((self.query_key_value.weight, inner), (self.out.weight, size)):
            # Xavier's bound, for each of query, key and value on its own.
            bound = math.sqrt(6 / (weight.shape[-1] + fan_out))
            nn.init.uniform_(weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Maps x (G, B, L, d) to the same shape; position l sees positions up to l alone."""
        return self.after_attention(x, self.attended(*self.heads(x)))

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns queries, keys and values (G, B, H, L, d_head) of x (G, B, L, d)."""
        n_streams, n_sequences, length, _ = x.shape
        projected = self.query_key_value(x.flatten(1, 2)).view(
            n_streams, n_sequences, length, 3, self.n_heads, -1
        )
        query, key, value = projected.permute(3, 0, 1, 4, 2, 5).unbind()
        return query, key, value

    def attended(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Returns what each position takes from those up to it, (G, B, H, L, d_head)."""
        dropout = self.dropout if self.training else 0.0
        q, k, v = (heads.flatten(0, 2) for heads in (query, key, value))
        return causal_attention(q, k, v, dropout).view(query.shape)

    def after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        """Returns the layer's output (G, B, L, d) for x and what the heads attended to."""
        shape = x.shape
        x = x.flatten(1, 2)
        heads = attended.transpose(2, 3).flatten(3).flatten(1, 2)
        x = self.attention_norm(x + self._drop(self.out(heads)))
        inner = self._drop(F.gelu(self.inner(x)))
        return self.feed_forward_norm(x + self._drop(self.outer(inner))).view(shape)

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout) if self.training else x


def count_streams(n_marks: int, n_axes: int) -> int:
    """Returns how many streams a context has: of time, place if any, all together, mark if any."""
    return 2 + (n_axes > 0) + (n_marks > 1)


class Encoder(nn.Module):
    """Encodes a history into contexts for its next events (paper, appendix A).

    Streams, in the order of the context: temporal, spatial (of events with places), joint and, for
    K > 1, mark. Each is `n_layers` of self-attention, then an LSTM of width 4 `cond_dim` projected
    back to `cond_dim`.

    For location heads that ask for them, what the last events were stands at the end of the
    context, the last one first, zeros where there are fewer: z (3) of each for a mixture, whose
    components move with them; z, the mark + 1 and, under `magnitudes`, the scaled magnitude for a
    law that points at them.

    Sequences longer than `max_context` are encoded in windows of that length, each half a window
    after the one before. An event is encoded in the first window that holds it, so that it sees
    at least the last `max_context` / 2 events and cost grows linearly in the length.
    """

    period: Tensor

    def __init__(self, settings: ModelSettings, n_marks: int, n_axes: int = 2) -> None:
        super().__init__()
        size, self.max_context = settings.cond_dim, settings.max_context
        self.n_streams = count_streams(n_marks, n_axes)
        self.periods, self.skip = settings.periods, settings.skip
        self.context_dropout = settings.context_dropout
        self.n_recent = settings.n_recent if n_axes else 0
        self.tells_mark = settings.location_law == "history"
        self.tells_magnitude = self.tells_mark and settings.magnitudes
        self.location_embedding = _embedding(n_axes, size) if n_axes else None
        n_rates = n_features(settings.magnitudes) if settings.recent_rates else 0
        self.time_embedding = (
            _embedding(1 + N_FEATURES * len(settings.periods) + n_rates, size)
            if settings.time_encoding == "relative"
            else None
        )
        self.magnitude_embedding = nn.Linear(1, size) if settings.magnitudes else None
        # Row 0 is padding, as in the original's checkpoints.
        self.mark_embedding = (
            nn.Embedding(n_marks + 1, size, padding_idx=0) if n_marks > 1 else None
        )
        self.layers = nn.ModuleList(
            EncoderLayer(self.n_streams, settings) for _ in range(settings.n_layers)
        )
        self.lstms = nn.ModuleList(
            nn.LSTM(size, 4 * size, batch_first=True) for _ in range(self.n_streams)
        )
        self.projection = StreamLinear(self.n_streams, 4 * size, size)
        period = 10000.0 ** (2.0 * (torch.arange(size) // 2) / size)
        self.register_buffer("period", period, persistent=False)

    @property
    def size(self) -> int:
        """C, the width of a context."""
        return self.n_streams * self.projection.weight.shape[1] + self.n_told * self.n_recent

    @property
    def n_told(self) -> int:
        """Numbers that contexts tell of each recent event."""
        return 3 + self.tells_mark + self.tells_magnitude

    def forward(self, batch: Batch) -> Tensor:
        """Returns the encoding (B, L, C): row l holds what is known after event l.

        Rows of padding hold numbers without meaning. As padding follows the events and attention
        is causal, no event sees it.
        """
        return self.beside_recent(self._encode_windows(self.embed(batch)), self.told(batch))

    def _encode_windows(self, x: Tensor) -> Tensor:
        """Returns the encoding (B, L, G d) of the streams' inputs (G, B, L, d) of any length."""
        length = x.shape[2]
        if length <= self.max_context:
            return self._encode(x)
        half = self.max_context // 2
        parts = [self._encode_again(x[:, :, : self.max_context])]
        for start in range(half, length - half, half):
            window = x[:, :, start : start + self.max_context]
            parts.append(self._encode_again(window)[:, half:])
        return torch.cat(parts, dim=1)

    def _encode(self, x: Tensor) -> Tensor:
        """Returns the encoding (B, L, G d) of the streams' inputs (G, B, L, d)."""
        embedded = x
        for layer in self.layers:
            x = layer(x)
        states = torch.stack([lstm(stream)[0] for lstm, stream in zip(self.lstms, x, strict=True)])
        if self.training and self.context_dropout:
            states = dropout(states, self.context_dropout)
        return self.encoding(states, embedded)

    def encoding(self, states: Tensor, embedded: Tensor) -> Tensor:
        """Returns the encoding (B, L, G d) of inputs from the LSTMs' outputs (G, B, L, 4 d)."""
        projected = self.projection(states.flatten(1, 2)).view(embedded.shape)
        if self.skip:
            projected = projected + embedded
        return projected.permute(1, 2, 0, 3).flatten(2)

    def told(self, batch: Batch) -> Tensor:
        """Returns what contexts tell of each event (B, L, F): z and, if asked, mark + 1.

        Of an event without a mark that is 1. Last comes the scaled magnitude, if asked.
        """
        z = 2 * batch.u - 1
        if not self.tells_mark:
            return z
        mark = torch.zeros_like(batch.time) if batch.mark is None else batch.mark
        told = [z, (mark + 1).to(z).unsqueeze(-1)]
        if self.tells_magnitude:
            assert batch.magnitude is not None
            told.append(batch.magnitude.unsqueeze(-1))
        return torch.cat(told, dim=-1)

    def beside_recent(self, encoding: Tensor, told: Tensor) -> Tensor:
        """Returns the encoding (B, L, C) with what the recent events were, if they are called for.

        `encoding` (B, L, G d) is of the last L of the events of which `told` (B, T, F) tells.
        """
        if not self.n_recent:
            return encoding
        padded = F.pad(told, (0, 0, self.n_recent - 1, 0))
        wanted = padded[:, -(encoding.shape[1] + self.n_recent - 1) :]
        recent = wanted.unfold(1, self.n_recent, 1).flip(-1).mT.flatten(2)
        return torch.cat([encoding, recent], dim=-1)

    def _encode_again(self, x: Tensor) -> Tensor:
        """Returns `_encode` of one of many windows, done again in the backward pass.

        So that training keeps the activations of one window at a time, not those of all.
        """
        if not torch.is_grad_enabled():
            return self._encode(x)
        encoding: Tensor = checkpoint(self._encode, x, use_reentrant=False)
        return encoding

    def embed(self, batch: Batch, before: Tensor | None = None) -> Tensor:
        """Returns the streams' inputs (G, B, L, d).

        `before` (B, T) are times of events before the batch's, where it is not the whole history.
        """
        if self.time_embedding is None:
            temporal = self._embed_time(batch.time)
        else:
            temporal = self.time_embedding(self._gaps_and_phases(batch, before))
        if self.magnitude_embedding is not None:
            assert batch.magnitude is not None
            temporal = temporal + self.magnitude_embedding(batch.magnitude.unsqueeze(-1))
        streams, joint = [temporal], temporal
        if self.location_embedding is not None:
            spatial = self.location_embedding(batch.u[..., 1:])
            streams, joint = [temporal, spatial], temporal + spatial
        if self.mark_embedding is None:
            return torch.stack([*streams, joint])
        assert batch.mark is not None
        mark = self.mark_embedding(batch.mark + 1)
        return torch.stack([*streams, joint + mark, mark])

    def _embed_time(self, time: Tensor) -> Tensor:
        """Returns sines (even places) and cosines (odd places) of time (B, L) over d periods."""
        phase = time.unsqueeze(-1) / self.period
        return torch.stack([phase[..., 0::2].sin(), phase[..., 1::2].cos()], dim=-1).flatten(-2)

    def _gaps_and_phases(self, batch: Batch, before: Tensor | None) -> Tensor:
        """Returns z of the gaps, and what there is to tell of rates and periods: (B, L, F)."""
        gap = 2 * batch.u[..., :1] - 1
        if batch.rates is not None:
            gap = torch.cat([gap, batch.rates], dim=-1)
        if not self.periods:
            return gap
        seen = batch.time.masked_fill(~batch.mask, math.inf)
        if before is not None:
            seen = torch.cat([before, seen], dim=1)
        return torch.cat([gap, phase_features(batch.time, batch.start, seen, self.periods)], -1)


def _embedding(n_in: int, size: int) -> nn.Sequential:
    """Returns a network of four layers that embeds `n_in` numbers."""
    layers: list[nn.Module] = [nn.Linear(n_in, size)]
    for _ in range(3):
        layers += [nn.ReLU(), nn.Linear(size, size)]
    return nn.Sequential(*layers)
