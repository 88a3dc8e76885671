"""Reads checkpoints of the original implementation (`model_best.pkl`, a state dict)."""

import re
from pathlib import Path

import torch
from torch import Tensor

from smash.data.scaling import Scaler
from smash.errors import CheckpointError
from smash.model.smash import About, Smash
from smash.model.torch_files import load_tensors
from smash.model.weights import check_finite
from smash.settings import ModelSettings

_STREAMS = ("_temporal", "_loc", "", "_mark")
_LSTMS = ("rnn_temporal", "rnn_spatial", "rnn", "rnn_mark")
_NETWORK = {
    "linears_temporal": "time.trunk",
    "linears_spatial": "location.trunk",
    "cond_temporal": "time.temporal",
    "cond_spatial": "location.spatial",
    "cond_joint": "time.joint",
    "output_intensity": "time.head",
    "output_score": "location.head",
    "cond_all": "location.whole",
    "linear_t": "location.first_share",
    "linear_s": "location.second_share",
}


def load_original(
    path: Path | str, settings: ModelSettings, scaler: Scaler, about: About | None = None
) -> Smash:
    """Returns a model with the weights of an original checkpoint.

    Such a file carries neither noise levels nor scaling limits: they come from `settings` and
    `scaler`, and must be those it was trained with. Widths and K are read off the weights.

    Raises:
        CheckpointError: when the file is not an original checkpoint or disagrees with `settings`.
    """
    weights = read_state_dict(path)
    try:
        marked = "transformer.encoder.event_emb_mark.weight" in weights
        n_marks = len(weights["transformer.encoder.event_emb_mark.weight"]) - 1 if marked else 1
        cond_dim = weights["transformer.rnn.projection.weight"].shape[0]
        if settings.cond_dim != cond_dim:
            raise CheckpointError(
                f"{path}: its cond_dim is {cond_dim}, the spec's is {settings.cond_dim}; "
                f"set cond_dim={cond_dim}"
            )
        model = Smash(settings, n_marks, scaler, about)
        model.load_state_dict(_renamed(weights, 4 if marked else 3, settings.n_layers))
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{path}: not a checkpoint of the original implementation for these settings: "
            + " ".join(str(error).split())
        ) from error
    return model.eval()


def read_state_dict(path: Path | str) -> dict[str, Tensor]:
    """Returns the tensors of a checkpoint file; code hidden in it is not run.

    Raises:
        CheckpointError: when the file is missing, damaged or holds anything but tensors.
    """
    weights = load_tensors(Path(path))
    if not isinstance(weights, dict) or not all(isinstance(v, Tensor) for v in weights.values()):
        raise CheckpointError(f"{path}: holds more than named tensors; expected a state dict")
    check_finite(weights, Path(path))
    return weights


def is_original(path: Path) -> bool:
    """Returns whether `path` looks like an original checkpoint rather than a saved model."""
    return path.is_file() and path.suffix in (".pkl", ".pt", ".pth")


def _renamed(old: dict[str, Tensor], n_streams: int, n_layers: int) -> dict[str, Tensor]:
    """Returns the weights under this project's names, each stream's stacked along a first axis."""
    new: dict[str, Tensor] = {}
    for layer in range(n_layers):
        stacks = [f"transformer.encoder.layer_stack{s}.{layer}." for s in _STREAMS[:n_streams]]
        new |= _renamed_layer(old, stacks, f"encoder.layers.{layer}.")
    for stream, name in enumerate(_LSTMS[:n_streams]):
        for part in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            new[f"encoder.lstms.{stream}.{part}"] = old[f"transformer.{name}.rnn.{part}"]
    projections = [f"transformer.{name}.projection." for name in _LSTMS[:n_streams]]
    new |= _stacked(old, projections, "", "encoder.projection.")
    for name, tensor in old.items():
        if match := re.fullmatch(r"transformer\.encoder\.event_emb_loc\.(.+)", name):
            new[f"encoder.location_embedding.{match[1]}"] = tensor
        elif match := re.fullmatch(r"decoder\.model\.(\w+)\.(\d+)\.(\w+)", name):
            new |= _renamed_network(match[1], int(match[2]), match[3], tensor)
    if n_streams == 4:
        new["encoder.mark_embedding.weight"] = old["transformer.encoder.event_emb_mark.weight"]
    return new


def _renamed_layer(old: dict[str, Tensor], stacks: list[str], to: str) -> dict[str, Tensor]:
    query_key_value = [
        torch.cat([old[f"{stack}slf_attn.w_{part}s.weight"] for part in "qkv"]) for stack in stacks
    ]
    return {
        f"{to}query_key_value.weight": torch.stack(query_key_value),
        **_stacked(old, stacks, "slf_attn.fc.", f"{to}out."),
        **_stacked(old, stacks, "slf_attn.layer_norm.", f"{to}attention_norm.", norm=True),
        **_stacked(old, stacks, "pos_ffn.w_1.", f"{to}inner."),
        **_stacked(old, stacks, "pos_ffn.w_2.", f"{to}outer."),
        **_stacked(old, stacks, "pos_ffn.layer_norm.", f"{to}feed_forward_norm.", norm=True),
    }


def _stacked(
    old: dict[str, Tensor], stacks: list[str], name: str, to: str, norm: bool = False
) -> dict[str, Tensor]:
    weight = torch.stack([old[f"{stack}{name}weight"] for stack in stacks])
    bias = torch.stack([old[f"{stack}{name}bias"] for stack in stacks])
    return {f"{to}weight": weight.unsqueeze(1) if norm else weight, f"{to}bias": bias.unsqueeze(1)}


def _renamed_network(part: str, index: int, kind: str, tensor: Tensor) -> dict[str, Tensor]:
    if part not in _NETWORK:
        # The original carries an unused embedding of the noise level.
        return {}
    if part.startswith("linears_") or part.startswith("output_"):
        # The original counts activations too.
        index //= 2
    return {f"network.{_NETWORK[part]}.{index}.{kind}": tensor}
