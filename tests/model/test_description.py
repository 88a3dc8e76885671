"""A saved model is believed where its parts agree, and refused by file and key where not."""

import json
from functools import reduce

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from smash.errors import CheckpointError
from smash.model.smash import About, Smash
from smash.settings import ModelSettings


@pytest.fixture
def folder(prepared, tmp_path):
    settings = ModelSettings(cond_dim=8, n_layers=2, n_heads=2, d_head=4, num_units=16)
    about = About("random", mark_names=("a", "b", "c"), mark_edges=(1.0, 2.0), window_length=9.0)
    Smash(settings, 3, prepared.scaler, about, law_points=16).save(tmp_path / "model")
    return tmp_path / "model"


# Dotted key → (value in its place, what the message says beside file and key).
ALTERED = {
    "n_marks": [0, -1, 2, True, "3", 3.0, None, 10**30],
    "format": [2, True, None],
    "law_points": [-1, 10**9, 1.5],
    "settings.cond_dim": [0, "8", 8.5, 10**9, None],
    "settings.n_layers": [-1, 3, 10**9],
    "settings.num_units": [0, 17, 10**9],
    "settings.sigma_time": [0, -1.0, "0.2"],
    "settings.base": ["", "climatologies", 1, "climatology"],
    "settings.max_context": [0, 3],
    "settings.periods": [[0.0], ["a"], 3],
    "settings.new_key": [1],
    "scaler.gap_low": [1e9, -1e9, "0", None],
    "scaler.gap_high": [-1e9, 1e9],
    "scaler.location_low": [[0.0], [0.0, 0.0, 0.0], [1e9, 0.0], "ab"],
    "scaler.floor": [0.0, -1.0],
    "scaler.gap_cell": [-1.0, 1e9],
    "scaler.location_cell": [[-1.0, 0.0], [1e9, 0.0]],
    "about.mark_names": [["a", "a", "b"], ["a"], [1, 2, 3], "abc"],
    "about.mark_edges": [[2.0, 1.0], [1.0, 1.0], [1.0, 2.0, 3.0], ["a"]],
    "about.window_length": [0.0, -1.0, "9"],
    "about.region": [[[0.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]], "here"],
    "about.time_origin": ["yesterdayish", 5],
    "about.location_names": [["x"], ["x", "y", "z"]],
}
CASES = [(key, value) for key, values in ALTERED.items() for value in values]


@pytest.mark.parametrize(("key", "value"), CASES)
def test_a_value_that_cannot_be_is_refused_by_file(folder, key, value):
    path = folder / "model.json"
    content = json.loads(path.read_text())
    *sections, last = key.split(".")
    reduce(lambda within, name: within[name], sections, content)[last] = value
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError) as refused:
        Smash.load(folder)
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("missing", ["n_marks", "settings", "scaler", "about"])
def test_a_missing_part_is_named(folder, missing):
    path = folder / "model.json"
    content = json.loads(path.read_text())
    del content[missing]
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=rf"model\.json: {missing}: Field required"):
        Smash.load(folder)


def test_what_older_versions_did_not_say_takes_its_default(folder):
    path = folder / "model.json"
    content = json.loads(path.read_text())
    del content["settings"]["skip"], content["about"]["mark_edges"], content["law_points"]
    path.write_text(json.dumps(content))
    assert not Smash.load(folder).settings.skip


def with_nan(tensors):
    tensors[WEIGHT].view(-1)[0] = np.nan


WEIGHT = "encoder.projection.weight"
HARM = {
    "holds numbers that are none": with_nan,
    "lacks": lambda tensors: tensors.pop(WEIGHT),
    "has another tensor": lambda tensors: tensors.update(other=torch.zeros(2)),
    r"is \(1,\), not": lambda tensors: tensors.update({WEIGHT: torch.zeros(1)}),
    "float64": lambda tensors: tensors.update({k: v.double() for k, v in tensors.items()}),
}


@pytest.mark.parametrize("message", HARM)
def test_weights_that_do_not_belong_are_refused(folder, message):
    path = folder / "weights.safetensors"
    tensors = load_file(path)
    HARM[message](tensors)
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match=rf"weights\.safetensors: .*{message}"):
        Smash.load(folder)


def test_no_more_memory_is_taken_than_there_are_weights_for(folder, monkeypatch):
    path = folder / "model.json"
    content = json.loads(path.read_text())
    content["settings"] |= {"cond_dim": 1024, "num_units": 4096, "n_layers": 64}
    path.write_text(json.dumps(content))
    made = []
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *a, **k: made.append(empty(*a, **k)) or made[-1])
    with pytest.raises(CheckpointError, match="not the weights of this model"):
        Smash.load(folder)
    assert sum(tensor.nbytes for tensor in made[:-1]) < 2**24
