"""Models saved when branch and head were one network are the same models now."""

import pytest
import torch
from torch import nn

import smash
from smash.model.climatology_base import ClimatologyHazard
from smash.model.score_network import ScoreNet
from smash.model.weight_names import NAMES, in_order
from smash.settings import ModelSettings
from smash.shipped_files import shipped_root

SCORE = ModelSettings(cond_dim=8, num_units=16, base="climatology", mark_in_location=True)
MIXTURE = ModelSettings(cond_dim=8, num_units=16, base="climatology", location_law="mixture")

KEPT = shipped_root() / "experiments" / "pretrained"


def network(settings: ModelSettings, seed: int = 0) -> ScoreNet:
    torch.manual_seed(seed)
    return ScoreNet(settings, 3, ClimatologyHazard(3, torch.linspace(-1, 1, 9)))


def under_old_names(net: ScoreNet) -> dict[str, torch.Tensor]:
    weights = net.state_dict()
    for old, new in NAMES.items():
        for name in [name for name in weights if name.startswith(new)]:
            weights[old + name.removeprefix(new)] = weights.pop(name)
    return dict(weights)


@pytest.mark.parametrize("settings", [SCORE, MIXTURE])
def test_weights_under_old_names_are_loaded(settings):
    saved = under_old_names(network(settings, seed=1))
    assert "time_trunk.0.weight" in saved
    if settings is MIXTURE:
        # What the base of a network without a score of locations kept.
        saved |= {"base.score": torch.zeros(2, 0, 0), "base.cumulative": torch.zeros(0)}
    whole = nn.ModuleDict({"network": network(settings)})
    whole.load_state_dict({f"network.{name}": tensor for name, tensor in saved.items()})
    for name, tensor in network(settings, seed=1).state_dict().items():
        torch.testing.assert_close(whole["network"].state_dict()[name], tensor, rtol=0, atol=0)


def test_a_weight_that_belongs_nowhere_is_refused():
    saved = under_old_names(network(SCORE)) | {"time_trunk.9.weight": torch.zeros(1)}
    with pytest.raises(RuntimeError, match=r"time\.trunk\.9"):
        network(SCORE).load_state_dict(saved)


def test_a_seed_gives_the_weights_of_one_network_drawn_layer_by_layer():
    torch.manual_seed(0)
    widths = [(1, 16), *[(16, 16)] * 3, (2, 16), *[(16, 16)] * 3, *[(8, 16)] * 9]
    widths += [(16, 16), (16, 3), (32, 16), (16, 2), (32, 16), (16, 16)]
    widths += [(16, 16), (16, 16), (16, 2)] * 2
    expected = [nn.Linear(*width).weight for width in widths]
    published = ModelSettings(cond_dim=8, num_units=16)
    torch.manual_seed(0)
    found = [p for p in in_order(ScoreNet(published, 3), prefix="") if p.ndim == 2]
    for weight, drawn in zip(found, expected, strict=True):
        torch.testing.assert_close(weight, drawn, rtol=0, atol=0)


def test_the_order_holds_every_parameter_once_and_those_of_no_network_first():
    whole = nn.ModuleDict({"network": network(SCORE), "encoder": nn.Linear(2, 2)})
    ordered = in_order(whole)
    assert len(ordered) == len(list(whole.parameters()))
    assert {id(p) for p in ordered} == {id(p) for p in whole.parameters()}
    assert ordered[0] is whole["encoder"].weight
    assert ordered[-1] is whole["network"].mark_shift.weight


@pytest.mark.parametrize("name", sorted(p.name for p in KEPT.iterdir() if p.is_dir()))
def test_kept_models_load(name):
    forecaster = smash.load(f"pretrained:{name}")
    assert forecaster.about.dataset == name
