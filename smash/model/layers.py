"""Small layers that the time branch and the location heads are made of."""

from collections.abc import Iterator
from itertools import pairwise
from typing import cast

from torch import Tensor, nn


class Linears(nn.ModuleList):
    """A list of linear maps, known as such to the type checker."""

    def __iter__(self) -> Iterator[nn.Linear]:
        return cast(Iterator[nn.Linear], super().__iter__())


def trunk(n_in: int, units: int) -> Linears:
    """Returns four linear maps: three ReLU layers that take context terms, and a last map."""
    return Linears(nn.Linear(n, units) for n in (n_in, units, units, units))


def mlp(*sizes: int) -> nn.Sequential:
    """Returns linear maps between `sizes` with ReLU between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def context_maps(size: int, units: int) -> Linears:
    """Returns the linear maps of a stream (N, size) to each of a trunk's three ReLU layers."""
    return Linears(nn.Linear(size, units) for _ in range(3))


def layer_terms(
    maps: Linears, stream: Tensor, joint_terms: list[Tensor], layers: Linears
) -> tuple[Tensor, ...]:
    """Returns the three (N, 1, H) terms of a trunk: its stream's, the joint ones and its biases."""
    return tuple(
        (own_map(stream) + joint + layer.bias).unsqueeze(1)
        for own_map, joint, layer in zip(maps, joint_terms, layers, strict=False)
    )


def step_of(hidden: Tensor) -> Tensor:
    """Returns the derivative of ReLU, 0 or 1, from its output."""
    # `sign` is vectorised; products of booleans and floats are not.
    return hidden.detach().sign()
