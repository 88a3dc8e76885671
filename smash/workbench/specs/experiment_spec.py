"""Specs: the YAML files that say what a run does, their schema, and overrides of single keys.

A spec's sections are the dataclasses of `smash.settings`; their bounds are checked here and nowhere
else, what they ask of each other in `smash.workbench.specs.contradictions`. Values are taken at
their word: `"0.2"` is text, `true` is not 1, NaN is no number.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, MinLen, doc
from pydantic import BaseModel, Field, StringConstraints, model_validator

from smash.baseline_names import BASELINES
from smash.errors import SpecError
from smash.settings import (
    DataSettings,
    ModelSettings,
    ObjectiveSettings,
    SamplingSettings,
    ScalingSettings,
    ScoreSettings,
    TrainingSettings,
)
from smash.workbench.specs import keys, strict_yaml
from smash.workbench.specs.contradictions import contradictions
from smash.workbench.specs.renamed_keys import RENAMED, RenamedKey, hint, under_present_names
from smash.workbench.specs.schema import STRICT, put, read_mapping, validate

Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
Device = Annotated[
    str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d+)?)$"), "(auto, cpu, cuda or cuda:N)"
]
Baseline = Annotated[
    str,
    MinLen(1),
    doc(f"{', '.join(BASELINES)}, package.module:function or an installed plug-in's name"),
]
Member = Annotated[str, MinLen(1), doc("model, or one of `baselines`")]
QUICK_STEPS, QUICK_SAMPLES, QUICK_SEQUENCES = 500, 10, 8


class ExperimentSpec(BaseModel):
    """Everything a run depends on but the code and the machine."""

    model_config = STRICT

    data: DataSettings = DataSettings()
    """Which events."""
    name: Annotated[str, MinLen(1)] = Field(default_factory=lambda valid: valid["data"].name)
    """Name of the experiment in MLflow; the data set's unless given."""
    description: str = ""
    """A sentence for the run's page."""
    protocol: Literal["strict", "original"] = "strict"
    """strict: nothing is chosen on test data; original: as the original does."""
    scaling: ScalingSettings = ScalingSettings()
    """How gaps and places are mapped to [0, 1]."""
    model: ModelSettings = ModelSettings()
    """Sizes and noise levels of the model, and which parts it is made of."""
    objective: ObjectiveSettings = ObjectiveSettings()
    """What is minimised."""
    training: TrainingSettings = TrainingSettings()
    """Schedule of a training, and how sequences are varied."""
    sampling: SamplingSettings = SamplingSettings()
    """How the next event is sampled."""
    scores: ScoreSettings = ScoreSettings()
    """Which figures a test computes."""
    baselines: tuple[Baseline, ...] = ()
    """Forecasters fitted and tested beside the model."""
    pool: tuple[Member, ...] = ()
    """Forecasters whose laws are mixed and tested as one: `model` and those of `baselines`."""
    pool_weights: Literal["stacking", "stacking_by_part", "equal"] = "stacking"
    """Shares of the pool by validation data (stacking), also a part of the law each, or equal."""
    seed: Seed = 0
    """Of weights, order, noise and draws."""
    seeds: Annotated[tuple[Seed, ...], MaxLen(1000)] = ()
    """One run a seed, in place of `seed`; empty: one run."""
    ensemble: bool = False
    """Tests the mixture of the seeds' models too."""
    device: Device = "auto"
    """auto takes a GPU where there is one."""
    threads: Annotated[int, Ge(0), Le(1024)] = 0
    """CPU threads; 0 leaves their number to PyTorch."""
    deterministic: bool = False
    """Holds a GPU to kernels that give the same bits every time."""

    @model_validator(mode="after")
    def _check_together(self) -> "ExperimentSpec":
        if problems := contradictions(self):
            raise ValueError("\n".join(problems))
        return self


def load_spec(path: Path | str, overrides: Sequence[str] = ()) -> ExperimentSpec:
    """Returns the spec in a YAML file, with `overrides` such as `sigma_time=0.3` applied.

    Raises:
        SpecError: listing every problem of the file, one a line: key, what was expected, what
            was given; the nearest known key for an unknown one.
    """
    return spec_from_mapping(apply_overrides(read_mapping(path), overrides), str(path))


def spec_from_mapping(mapping: Mapping[str, Any], source: str = "spec") -> ExperimentSpec:
    """Returns the spec with these keys; those left out take their defaults.

    Raises:
        SpecError: as `load_spec`; `source` stands before the problems.
    """
    return validate(ExperimentSpec, normalised(mapping), source)


def apply_overrides(mapping: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Returns a copy of `mapping` with each `key=value` put in place; values are YAML.

    A key is dotted (`model.sigma_time`), its unambiguous ending (`sigma_time`) or an alias
    (`epochs`); a later override wins.

    Raises:
        SpecError: listing every override that cannot be read, one a line.
    """
    result, problems = normalised(mapping), []
    for override in overrides:
        try:
            put(result, *_read_override(override))
        except SpecError as error:
            problems.append(f"--set {override}: {error}")
    if problems:
        raise SpecError("\n".join(problems))
    return result


def normalised(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy of a spec's keys and values with present names, and parts as sections."""
    result = under_present_names(mapping)
    for part in keys.parts(ExperimentSpec):
        key, value = placed(part, value_at(result, part))
        if key != part:
            put(result, part, {key.rpartition(".")[2]: value})
    return result


def placed(dotted: str, value: Any) -> tuple[str, Any]:
    """Returns key and value to put for a dotted key: a part by a value alone is its first key."""
    first = keys.parts(ExperimentSpec).get(dotted)
    alone = first is not None and value is not None and not isinstance(value, dict)
    return (f"{dotted}.{first}" if alone else dotted), value


def value_at(mapping: Mapping[str, Any], dotted: str) -> Any:
    """Returns the value of a dotted key in nested mappings, None where there is none."""
    value: Any = mapping
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def resolve(key: str) -> str:
    """Returns the dotted key of a spec that `key` stands for, be it an old name.

    Raises:
        SpecError: when no key or more than one is meant.
    """
    try:
        return keys.resolve(key, ExperimentSpec)
    except SpecError:
        before = next((old for old in RENAMED if f".{old}".endswith(f".{key}")), None)
        if before is None:
            raise
        warnings.warn(hint(before), RenamedKey, stacklevel=3)
        return RENAMED[before]


def spec_to_mapping(spec: ExperimentSpec) -> dict[str, Any]:
    """Returns the spec as plain dicts, lists and values, every key written out.

    Parts that are off are left out.
    """
    values = spec.model_dump(mode="json")
    for part in keys.parts(ExperimentSpec):
        section, _, name = part.rpartition(".")
        if value_at(values, part) is None:
            del value_at(values, section)[name]
    return {"name": values.pop("name"), "description": values.pop("description"), **values}


def dump_spec(spec: ExperimentSpec) -> str:
    """Returns the spec as YAML; loading it gives an equal spec."""
    return strict_yaml.dump(spec_to_mapping(spec))


def flatten(spec: ExperimentSpec) -> dict[str, str]:
    """Returns every dotted key with its value as text, for a run's parameters."""
    flat, mapping = {}, spec_to_mapping(spec)
    for dotted in keys.leaves(ExperimentSpec):
        value = value_at(mapping, dotted)
        flat[dotted] = value if isinstance(value, str) else json.dumps(value)
    return flat


def spec_digest(spec: ExperimentSpec) -> str:
    """Returns the SHA-256 of the spec: equal for equal specs, however they were written."""
    canonical = json.dumps(spec_to_mapping(spec), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def quick_profile(spec: ExperimentSpec) -> ExperimentSpec:
    """Returns the spec with sampling cut to 500 steps, 10 samples and 8 test sequences.

    What was smaller already stays. Figures of such a run say whether things work, no more.
    """
    full = spec.sampling
    steps = min(QUICK_STEPS, full.sampling_steps)
    # Every member of an ensemble or a pool gives its share.
    total = min(max(QUICK_SAMPLES, len(spec.seeds), len(spec.pool)), full.total_samples)
    quick = replace(
        full.with_draws(total),
        sampling_steps=steps,
        per_step=min(full.per_step, steps),
        max_sequences=min(full.max_sequences or QUICK_SEQUENCES, QUICK_SEQUENCES),
    )
    return spec.model_copy(update={"sampling": quick})


def _read_override(override: str) -> tuple[str, Any]:
    key, equals, value = override.partition("=")
    if not equals:
        raise SpecError("expected key=value")
    return placed(resolve(key.strip()), strict_yaml.parse(value, "value"))
