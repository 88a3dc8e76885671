"""The score network's weights under the names and in the order that saved models know them by.

Time branch and location head once were one network, whose weights were named, drawn and optimised
in this order. Checkpoints of that time load; a seed gives the weights it gave; the state of an
optimiser belongs to the same weights.
"""

from typing import Any

import torch
from torch import Tensor, nn

NAMES = {
    "time_trunk.": "time.trunk.",
    "location_trunk.": "location.trunk.",
    "time_context.": "time.temporal.",
    "location_context.": "location.spatial.",
    "joint_context.": "time.joint.",
    "intensity_head.": "time.head.",
    "location_head.": "location.head.",
    "whole_context.": "location.whole.",
    "time_mixture.": "location.first_share.",
    "location_mixture.": "location.second_share.",
    "base.hazard": "time.base.hazard",
    "base.frequency": "time.base.frequency",
    "base.score": "location.base.score",
    "base.cumulative": "location.base.cumulative",
}
"""Beginnings of old names, in the old order, and what they are now."""


def present_name(name: str, prefix: str = "network.") -> str:
    """Returns what a weight is called now, of a model whose network's names begin with `prefix`."""
    for old, new in NAMES.items():
        if name.startswith(prefix + old):
            return prefix + new + name.removeprefix(prefix + old)
    return name


def renamed(network: nn.Module, weights: dict[str, Any], prefix: str, *_: object) -> None:
    """Gives weights under old names their present ones, as a hook before a network loads them.

    Empty tables, which the base of a network without a location's score had, are left out.
    """
    own = network.state_dict().keys()
    for name in [name for name in weights if name.startswith(prefix)]:
        now = present_name(name, prefix)
        if now != name:
            tensor: Tensor = weights.pop(name)
            if now.removeprefix(prefix) in own or tensor.numel():
                weights[now] = tensor


def in_order(model: nn.Module, prefix: str = "network.") -> list[nn.Parameter]:
    """Returns the parameters of a model whose network's names begin with `prefix`, in old order."""
    parts = [prefix + new for new in NAMES.values()]
    named = list(model.named_parameters())

    def place(name: str) -> int:
        found = [i for i, part in enumerate(parts) if name.startswith(part)]
        return found[0] if found else (len(parts) if name.startswith(prefix) else -1)

    return [parameter for _, parameter in sorted(named, key=lambda item: place(item[0]))]


def draw_in_order(network: nn.Module, state: Tensor) -> None:
    """Draws the linear maps of a network's named parts anew, in the old order.

    `state`: of the global generator, where to start.
    """
    torch.set_rng_state(state)
    modules = dict(network.named_modules())
    for part in NAMES.values():
        for module in modules.get(part.removesuffix("."), nn.Module()).modules():
            if isinstance(module, nn.Linear):
                module.reset_parameters()
