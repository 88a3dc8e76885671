"""Saving and loading, and files that are not what they should be."""

import json
import os

import pytest
import torch

from smash.errors import CheckpointError
from smash.files import replacing
from smash.model.original_checkpoint import load_original
from smash.model.smash import Smash


def test_a_saved_model_comes_back_bit_for_bit(small_model, tmp_path):
    small_model.save(tmp_path / "model")
    loaded = Smash.load(tmp_path / "model")
    assert loaded.settings == small_model.settings
    assert loaded.scaler == small_model.scaler
    assert loaded.about == small_model.about
    for name, tensor in small_model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name])


def test_saving_again_replaces_the_old_model_whole(small_model, tmp_path):
    small_model.save(tmp_path / "model")
    (tmp_path / "model" / "recalibration.json").write_text("of the old model")
    small_model.save(tmp_path / "model")
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "model.json",
        "weights.safetensors",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda folder: (folder / "weights.safetensors").unlink(), "weights.safetensors"),
        (lambda folder: truncate(folder / "weights.safetensors"), "weights.safetensors"),
        (lambda folder: (folder / "weights.safetensors").write_bytes(b"x"), "weights.safetensors"),
        (lambda folder: (folder / "model.json").unlink(), "model.json"),
        (lambda folder: (folder / "model.json").write_text("{"), "model.json"),
        (lambda folder: (folder / "model.json").write_text("[1]"), "model.json"),
        (lambda folder: (folder / "model.json").write_text('{"format": 1}'), "model.json"),
    ],
)
def test_a_damaged_model_is_named(small_model, tmp_path, damage, named):
    small_model.save(tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(CheckpointError, match=named):
        Smash.load(tmp_path / "model")


def test_weights_of_another_size_are_refused(small_model, tmp_path):
    small_model.save(tmp_path / "model")
    description = json.loads((tmp_path / "model" / "model.json").read_text())
    description["settings"]["cond_dim"] = 16
    (tmp_path / "model" / "model.json").write_text(json.dumps(description))
    with pytest.raises(CheckpointError, match="not the weights of this model"):
        Smash.load(tmp_path / "model")


class Hostile:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


def test_code_in_an_original_checkpoint_is_not_run(small_model, tmp_path):
    canary = tmp_path / "canary"
    torch.save({"weight": Hostile(canary)}, tmp_path / "model_best.pkl")
    with pytest.raises(CheckpointError, match=r"model_best\.pkl"):
        load_original(tmp_path / "model_best.pkl", small_model.settings, small_model.scaler)
    assert not canary.exists()


def test_a_state_dict_of_something_else_is_refused(small_model, tmp_path):
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pkl")
    with pytest.raises(CheckpointError, match="not a checkpoint of the original"):
        load_original(tmp_path / "other.pkl", small_model.settings, small_model.scaler)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def write():
        with replacing(path) as beside:
            beside.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        write()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
