"""Chains on a GPU in one launch for many steps, where Triton is found.

The plain chain makes a hundred passes over memory a step; here an event's chains stay in registers
and the network's weights on chip (`smash.sampling.kernels`). Draws are of the same law and differ
from the plain path's, as the noise is Triton's own, seeded by the generator.
"""

from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor

from smash.model.location_head import Given, LocationHead, LocationTerms
from smash.model.score_head import ScoreHead
from smash.model.score_network import ContextTerms, ScoreNet
from smash.model.time_branch import TimeBranch
from smash.sampling.chains import Chains

COLUMNS = 16
"""Marks that a kernel has room for."""
WIDTHS = (16, 32, 64)
"""Widths of score networks whose weights lie on chip."""
PRODUCTS = {"high": "float16", "medium": "bfloat16"}
"""How inputs of products are rounded, by PyTorch's precision. Float16 keeps as many digits as TF32,
is multiplied twice as quickly and takes half the room, which `highest` is not left."""
LARGEST = 65504.0
"""The largest float16: where hidden units may be larger, products take TF32 in its place."""
FARTHEST = 8.0
"""How far a place is taken to walk at most, on the z scale."""
MOST = 2**31 - 1


@cache
def has_triton() -> bool:
    """Returns True where Triton can be imported."""
    return find_spec("triton") is not None


def walks_places(head: LocationHead, device: torch.device) -> bool:
    """Returns True where `walk_places` can be asked for a head's places on a device."""
    return (
        device.type == "cuda"
        and torch.get_float32_matmul_precision() in PRODUCTS
        and has_triton()
        and isinstance(head, ScoreHead)
        and head.base is None
        and _width(head) in WIDTHS
    )


def walks(network: ScoreNet, device: torch.device) -> bool:
    """Returns True where `walk` can be asked for a network's chains on a device."""
    return (
        walks_places(network.location, device)
        and isinstance(network.time, TimeBranch)
        and network.time.base is None
        and network.n_marks <= COLUMNS
    )


def walk(
    network: ScoreNet,
    terms: ContextTerms,
    chains: Chains,
    steps: int,
    step_size: float,
    generator: torch.Generator,
    noise: float = 1.0,
    precision: str | None = None,
) -> Chains:
    """Returns chains after `steps` steps, with the marks' last intensities.

    Args:
        network: what `walks` is true of.
        terms: of the chains' N events.
        chains: as for the plain chain; left as they are.
        steps: how many.
        step_size: ε of each.
        generator: where the kernel's seed comes from.
        noise: standard deviation of ξ; 0 for a comparison with plain steps.
        precision: of products, `float16`, `bfloat16`, `tf32` or `ieee`; PyTorch's own if None.
    """
    from smash.sampling.kernels import chain_kernel

    time, place = network.time, network.location
    assert isinstance(time, TimeBranch)
    assert isinstance(place, ScoreHead)
    z, mark = chains.z.contiguous().clone(), None
    n_events, n_chains, _ = z.shape
    intensity = z.new_empty(n_events, n_chains, network.n_marks)
    if chains.mark is not None:
        mark = chains.mark.contiguous().clone()
    shift = network.mark_shift
    parts = _place_parts(place, terms.location)
    precision = precision or _precision(_time_bounds(time, terms) + _place_bounds(parts))
    first, second, third, _ = time.trunk
    head_weight, head_bias = terms.time.own
    _, last = time.head
    launch = _launch(n_events, n_chains, precision)
    chain_kernel[launch.grid](
        z,
        z if mark is None else mark,
        intensity,
        torch.cat(terms.time.layers, 1).contiguous(),
        first.weight[:, 0].contiguous(),
        second.weight.mT.contiguous(),
        third.weight.mT.contiguous(),
        head_weight.mT.contiguous(),
        head_bias.contiguous(),
        _padded(last.weight.mT),
        _padded(last.bias),
        parts.terms,
        parts.first,
        parts.second,
        parts.third,
        parts.last,
        parts.last_bias,
        terms.location.bias.contiguous(),
        terms.location.weight.contiguous(),
        parts.joint,
        z if shift is None else shift.weight,
        _seed(generator),
        steps,
        n_chains,
        0.5 * step_size,
        noise * step_size**0.5,
        K=network.n_marks,
        H=last.in_features,
        SHIFT=shift is not None,
        **launch.options,
    )
    return Chains(z, mark, None if mark is None else intensity)


def walk_places(
    head: LocationHead,
    terms: LocationTerms,
    given: Given,
    start: Tensor,
    sizes: list[float],
    reach: float,
    generator: torch.Generator,
    precision: str | None = None,
) -> Tensor:
    """Returns places (N, S, 2) after a step of each size from `start`, clamped to ± `reach`."""
    from smash.sampling.kernels import place_kernel

    assert isinstance(head, ScoreHead)
    x = start.contiguous().clone()
    n_events, n_chains, _ = x.shape
    parts = _place_parts(head, terms)
    launch = _launch(n_events, n_chains, precision or _precision(_place_bounds(parts)))
    place_kernel[launch.grid](
        x,
        given.mixed.contiguous(),
        torch.tensor(sizes, device=x.device),
        parts.terms,
        parts.first,
        parts.second,
        parts.third,
        parts.last,
        parts.last_bias,
        parts.joint,
        _seed(generator),
        len(sizes),
        n_chains,
        reach,
        H=_width(head),
        **launch.options,
    )
    return x


class _PlaceParts(NamedTuple):
    """What the kernels read of a score head and its terms; matrices are inputs by outputs."""

    terms: Tensor
    first: Tensor
    second: Tensor
    third: Tensor
    last: Tensor
    last_bias: Tensor
    joint: Tensor


def _place_parts(head: ScoreHead, terms: LocationTerms) -> _PlaceParts:
    *layers, joint = terms.own
    first, second, third, _ = head.trunk
    _, last = head.head
    return _PlaceParts(
        torch.cat(layers, 1).contiguous(),
        first.weight.mT.contiguous(),
        second.weight.mT.contiguous(),
        third.weight.mT.contiguous(),
        last.weight.contiguous(),
        last.bias.contiguous(),
        joint.contiguous(),
    )


class _Launch(NamedTuple):
    """Programs of a kernel, and what each is compiled for."""

    grid: tuple[int, int]
    options: dict[str, Any]


def _width(head: ScoreHead) -> int:
    _, last = head.head
    return last.in_features


def _launch(n_events: int, n_chains: int, precision: str) -> _Launch:
    """Returns a program for each event and block of chains; small blocks where chains are few."""
    block = 64 if n_chains > 32 else 16
    blocks = -(-n_chains // block)
    options = {"BLOCK": block, "PRECISION": precision, "num_warps": 4 if block == 64 else 1}
    return _Launch((n_events, blocks), options)


def _padded(weight: Tensor) -> Tensor:
    """Returns a weight whose last axis, of marks, is padded to `COLUMNS`."""
    return torch.nn.functional.pad(weight, (0, COLUMNS - weight.shape[-1])).contiguous()


def _precision(bounds: list[Tensor]) -> str:
    """Returns how products' inputs are rounded, which none of `bounds` lies below."""
    chosen = PRODUCTS[torch.get_float32_matmul_precision()]
    if chosen == "float16" and float(torch.stack([b.amax() for b in bounds]).amax()) > LARGEST:
        return "tf32"
    return chosen


def _time_bounds(time: TimeBranch, terms: ContextTerms) -> list[Tensor]:
    """Returns what no hidden unit and no slope of the trunk and the head exceeds, for |t| ≤ 1."""
    first, second, third, _ = time.trunk
    head_weight, head_bias = terms.time.own
    slope = first.weight[:, 0].abs()
    hidden = slope + terms.time.layers[0].abs()
    bounds = [slope, hidden, terms.location.weight.abs()]
    weights = (second.weight, third.weight, head_weight)
    for weight, term in zip(weights, (*terms.time.layers[1:], head_bias), strict=True):
        slope = slope @ weight.mT.abs()
        hidden = hidden @ weight.mT.abs() + term.abs()
        bounds += [slope, hidden]
    return bounds


def _place_bounds(parts: "_PlaceParts") -> list[Tensor]:
    """Returns what no hidden unit of a place's trunk exceeds, for places up to `FARTHEST`."""
    first, second, third = parts.terms.abs().unbind(1)
    hidden = FARTHEST * parts.first.abs().sum(0) + first
    bounds = [hidden, parts.joint.abs()]
    for weight, term in ((parts.second, second), (parts.third, third)):
        hidden = hidden @ weight.abs() + term
        bounds.append(hidden)
    return bounds


def _seed(generator: torch.Generator) -> int:
    return int(torch.randint(MOST, (1,), generator=generator, device=generator.device))
