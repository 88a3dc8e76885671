"""Loss and gradient of a batch replayed from CUDA graphs.

A step of training is a thousand small kernels, and starting them takes a processor longer than they
take a GPU. A graph starts them all at once, for the shapes that it was recorded with: batches are
padded to a few of them, with places of padding after the events and targets that weigh nothing.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smash.data.batching import Batch, moved
from smash.model.score_matching import score_matching_loss
from smash.model.smash import Smash
from smash.settings import ObjectiveSettings

EVENTS, TARGETS = 32, 512
"""Multiples that lengths and numbers of targets are padded to."""
SEEN_BEFORE = 2
"""Batches of a shape from which on it is recorded."""
MOST_GRAPHS = 64
"""Shapes recorded; batches of others go kernel by kernel."""
WARM_UP = 2


class _Inputs(NamedTuple):
    """What a graph reads: events (B, L, ...), rows of the targets (N,) and what each weighs."""

    time: Tensor
    u: Tensor
    target: Tensor
    mark: Tensor | None
    rows: Tensor
    weight: Tensor


class _Recorded(NamedTuple):
    """A graph with the places that it reads, and those that it writes loss and gradients to."""

    graph: torch.cuda.CUDAGraph
    inputs: _Inputs
    loss: Tensor
    gradients: list[Tensor | None]


class GraphedLoss:
    """The loss (4,) of a batch under score matching; gradients go to the parameters' `grad`.

    Dropout and noise are drawn as ever, from the global generator and the one that is handed in,
    but for padding too.
    """

    def __init__(
        self,
        model: Smash,
        parameters: list[nn.Parameter],
        objective: ObjectiveSettings,
        noise: torch.Generator,
        draw_noise: Callable[[int, torch.Generator], Tensor],
    ) -> None:
        self.model, self.parameters = model, parameters
        self.objective, self.noise, self._draw_noise = objective, noise, draw_noise
        self._places = [torch.zeros_like(parameter) for parameter in parameters]
        self._fails = False
        self._sigma = model.noise_scale()
        self._seen: dict[tuple[int, ...], int] = {}
        self._graphs: dict[tuple[int, ...], _Recorded] = {}

    def __call__(self, batch: Batch) -> Tensor | None:
        """Returns the loss, or None where the batch is to go kernel by kernel."""
        settings = self.model.settings
        n_sequences, length = batch.time.shape
        longer = -(-length // EVENTS) * EVENTS
        if self._fails or longer > settings.max_context or settings.periods:
            return None
        shape = (n_sequences, longer, -(-batch.n_targets // TARGETS) * TARGETS)
        self._seen[shape] = self._seen.get(shape, 0) + 1
        if shape not in self._graphs:
            if self._seen[shape] < SEEN_BEFORE or len(self._graphs) == MOST_GRAPHS:
                return None
            try:
                self._graphs[shape] = self._record(padded(batch, *shape[1:]))
            except RuntimeError as error:  # of a driver or of memory; kernel by kernel it may go
                self._fails = True
                warnings.warn(f"training goes on without CUDA graphs: {error}", stacklevel=2)
                return None
        recorded = self._graphs[shape]
        for place, value in zip(recorded.inputs, padded(batch, *shape[1:]), strict=True):
            if place is not None and value is not None:
                place.copy_(value)
        recorded.graph.replay()
        for parameter, gradient in zip(self.parameters, recorded.gradients, strict=True):
            parameter.grad = gradient
        return recorded.loss.clone()

    def _record(self, inputs: _Inputs) -> _Recorded:
        """Returns the graph for inputs of these shapes; the generators stay where they are."""
        states = self.noise.get_state(), torch.cuda.get_rng_state(self.model.device)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                self._loss(inputs)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.noise)
        pools = [recorded.graph.pool() for recorded in self._graphs.values()]
        with torch.cuda.graph(graph, pool=pools[0] if pools else None):
            loss, gradients = self._loss(inputs)
        self.noise.set_state(states[0])
        torch.cuda.set_rng_state(states[1], self.model.device)
        return _Recorded(graph, inputs, loss, gradients)

    def _loss(self, inputs: _Inputs) -> tuple[Tensor, list[Tensor | None]]:
        """Returns the loss (4,) and its gradients by the parameters."""
        batch = Batch(inputs.time, inputs.u, inputs.mark, torch.empty(0))
        rows = inputs.rows
        context = self.model.encoder(batch).flatten(0, 1)[rows]
        # The event after the one whose context it is.
        z = 2 * inputs.target.flatten(0, 1)[rows + 1] - 1
        mark = None if inputs.mark is None else inputs.mark.flatten()[rows + 1]
        noise = self._draw_noise(len(rows), self.noise)
        network = self.model.network
        loss = score_matching_loss(
            network,
            network.terms(context),
            z,
            mark,
            noise,
            self._sigma,
            self.objective,
            inputs.weight,
        )
        found = torch.autograd.grad(loss.total, self.parameters, allow_unused=True)
        # Into places laid out as the parameters are, which the optimiser asks for.
        gradients: list[Tensor | None] = [
            None if gradient is None else place
            for place, gradient in zip(self._places, found, strict=True)
        ]
        torch._foreach_copy_(
            [place for place in gradients if place is not None],
            [gradient for gradient in found if gradient is not None],
        )
        return torch.stack(loss).detach().double(), gradients


def padded(batch: Batch, length: int, n_targets: int) -> _Inputs:
    """Returns a batch (B, L) padded to a length and a number of targets."""
    beyond = length - batch.time.shape[1]

    def longer(x: Tensor) -> Tensor:
        return F.pad(x, (*(0,) * (2 * (x.dim() - 2)), 0, beyond))

    sequence, before = batch.is_target.nonzero().unbind(1)
    spare = n_targets - len(before)
    rows = F.pad(sequence * length + before, (0, spare))
    weight = F.pad(torch.full((len(before),), 1 / len(before)), (0, spare))
    target = batch.u if batch.target is None else batch.target
    return _Inputs(
        longer(batch.time),
        longer(batch.u),
        longer(target),
        None if batch.mark is None else longer(batch.mark),
        moved(rows, batch.time.device),
        moved(weight, batch.time.device),
    )
