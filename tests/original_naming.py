"""Checkpoints as the original implementation writes them, made from a model of ours."""

from pathlib import Path

import torch
from torch import Tensor

from smash.model.smash import Smash

STREAMS = {"_temporal": "rnn_temporal", "_loc": "rnn_spatial", "": "rnn", "_mark": "rnn_mark"}
NETWORK = {
    "time.trunk": ("linears_temporal", 2),
    "location.trunk": ("linears_spatial", 2),
    "time.head": ("output_intensity", 2),
    "time.temporal": ("cond_temporal", 1),
    "location.spatial": ("cond_spatial", 1),
    "time.joint": ("cond_joint", 1),
    "location.head": ("output_score", 2),
    "location.whole": ("cond_all", 1),
    "location.first_share": ("linear_t", 1),
    "location.second_share": ("linear_s", 1),
}
"""Our names of the score network's parts, the original's, and how far its indices lie apart."""


def save_original(model: Smash, path: Path) -> None:
    """Writes the model's weights under the original's names."""
    ours = model.state_dict()
    theirs: dict[str, Tensor] = {}
    for stream, (suffix, lstm) in enumerate(list(STREAMS.items())[: model.encoder.n_streams]):
        for layer in range(model.settings.n_layers):
            to = f"transformer.encoder.layer_stack{suffix}.{layer}."
            theirs |= _layer(ours, f"encoder.layers.{layer}.", stream, to)
        for part in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            theirs[f"transformer.{lstm}.rnn.{part}"] = ours[f"encoder.lstms.{stream}.{part}"]
        projection = _of_stream(ours, "encoder.projection.", stream)
        theirs |= {f"transformer.{lstm}.projection.{kind}": w for kind, w in projection.items()}
    for name, tensor in ours.items():
        group, part, *rest = name.split(".")
        if part == "location_embedding":
            theirs[f"transformer.encoder.event_emb_loc.{'.'.join(rest)}"] = tensor
        elif part == "mark_embedding":
            theirs["transformer.encoder.event_emb_mark.weight"] = tensor
        elif group == "network":
            own, index, kind = rest
            original, apart = NETWORK[f"{part}.{own}"]
            theirs[f"decoder.model.{original}.{apart * int(index)}.{kind}"] = tensor
    torch.save({name: tensor.clone() for name, tensor in theirs.items()}, path)


def _layer(ours: dict[str, Tensor], layer: str, stream: int, to: str) -> dict[str, Tensor]:
    joint = ours[f"{layer}query_key_value.weight"][stream]
    theirs = {
        f"{to}slf_attn.w_{part}s.weight": weight
        for part, weight in zip("qkv", joint.chunk(3), strict=True)
    }
    places = {
        "out": "slf_attn.fc",
        "attention_norm": "slf_attn.layer_norm",
        "inner": "pos_ffn.w_1",
        "outer": "pos_ffn.w_2",
        "feed_forward_norm": "pos_ffn.layer_norm",
    }
    for name, place in places.items():
        for kind, weight in _of_stream(ours, f"{layer}{name}.", stream).items():
            theirs[f"{to}{place}.{kind}"] = weight
    return theirs


def _of_stream(ours: dict[str, Tensor], name: str, stream: int) -> dict[str, Tensor]:
    """Returns one stream's weight and bias out of those stacked along the first axis."""
    weight, bias = ours[f"{name}weight"][stream], ours[f"{name}bias"][stream, 0]
    return {"weight": weight[0] if "norm" in name else weight, "bias": bias}
