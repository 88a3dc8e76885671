"""The scripts that measure on a GPU, rehearsed without one: they are run where one is lent."""

import sys
from pathlib import Path

import pytest
import torch

from smash.catalogue import load_dataset
from smash.settings import DataSettings

BENCHMARKS = Path(__file__).resolve().parent / "benchmarks"
MODULES = ("agreement", "devices", "gpu")


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import agreement
    import devices
    import gpu

    monkeypatch.setattr(agreement, "DEVICE", "cpu")
    monkeypatch.setattr(devices, "DEVICES", ("cpu", "cpu"))
    yield agreement, devices, gpu
    for name in MODULES:
        sys.modules.pop(name)


@pytest.mark.parametrize("family", ["as published", "likelihood, history places, rates"])
def test_a_model_beside_itself_is_nowhere_apart_and_beside_another_it_is(scripts, family):
    _, devices, _ = scripts
    simulated = load_dataset(DataSettings(name="simulated", simulator=devices.SMALL))
    settings, objective = devices.FAMILY[family]
    found = list(devices.compared(family, simulated, settings, objective))
    assert [line["apart"] for line in found] == [0.0, 0.0]
    assert all(line["at_most"] > 0 for line in found)


def test_a_part_that_fails_is_told_and_the_others_go_on(scripts, monkeypatch, capsys):
    _, devices, _ = scripts

    def fails(name, *others):
        raise RuntimeError("a table was left on the host")

    monkeypatch.setattr(devices, "compared", fails)
    monkeypatch.setattr(devices, "kept", lambda name: iter([{"line": name}]))
    lines = [line["line"] for line in devices.on_both_devices()]
    assert lines[0] == "as published: a table was left on the host"
    assert lines[-1] == "football"
    assert "left on the host" in capsys.readouterr().err


def test_the_plain_step_that_kernels_are_held_against_moves_chains(scripts):
    agreement, _, gpu = scripts
    model, context = agreement.model_of(16, 3)
    with torch.inference_mode():
        terms = model.network.terms(context)
        start = agreement.start_of(model.network, context, torch.Generator().manual_seed(0))
        moved = agreement.plain_step(model.network, terms, start)
    assert moved.shape == start.z.shape
    assert not torch.equal(moved, start.z)
    table = gpu.Table()
    table.add("an epoch", 0.25, 4.3, 0.35)
    assert table.rows == [{"work": "an epoch", "now": 0.25, "plain": 4.3, "goal": 0.35, "note": ""}]
