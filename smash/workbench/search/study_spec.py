"""Study specs: the YAML files that say what is searched, for what, how, and for how long."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen
from pydantic import BaseModel, model_validator

from smash.errors import SpecError
from smash.outputs import check_name
from smash.settings import Count, NonNegative, Positive
from smash.workbench.search.space import Choices, Space, Value, parse_space, spaced_key
from smash.workbench.specs import keys, strict_yaml
from smash.workbench.specs.experiment_spec import (
    ExperimentSpec,
    apply_overrides,
    normalised,
    placed,
    resolve,
    spec_from_mapping,
    spec_to_mapping,
    value_at,
)
from smash.workbench.specs.schema import STRICT, given, put, read_mapping, validate

Figure = Literal[
    "relative_score",
    "crps_time",
    "energy_location",
    "energy_joint",
    "mark_log_loss",
    "mark_brier",
    "cs_time",
    "cs_location",
    "mae_time",
    "mae_time_median",
    "mae_location",
    "mae_location_median",
    "ece",
    "accuracy",
]
LARGER_IS_BETTER = ("accuracy",)
SCALE_OF_LOSS = ("model.sigma_time", "model.sigma_loc", "objective.")
"""Keys that change what a validation loss of a given size means."""


@dataclass(frozen=True)
class GoalSettings:
    """What is searched for: figures on validation data; several give a Pareto front.

    `relative_score` is the mean of CRPS, energy score and mark log loss, each divided by
    climatology's. The figures are of `samples` draws an event on `sequences` validation sequences
    (0: all).
    """

    figures: Annotated[tuple[Figure, ...], MinLen(1)] = ("relative_score",)
    samples: Annotated[int, Ge(2)] = 100
    sequences: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True)
class SearchSettings:
    """Who proposes settings. `startup`: trials drawn at random before TPE or GP take over."""

    sampler: Literal["tpe", "gp", "nsga2", "random", "grid"] = "tpe"
    startup: Count = 10
    seed: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True)
class PruningSettings:
    """Which trainings are stopped early by their validation loss.

    `median` compares with the trials before, once there are `min_trials`; none stops before
    `min_epochs`. Losses of different noise levels are not on one scale: see docs/search.md.
    """

    pruner: Literal["none", "median", "hyperband"] = "none"
    min_trials: Count = 5
    min_epochs: Count = 10


@dataclass(frozen=True)
class BudgetSettings:
    """When a study ends: trials in all, hours of one call; `epochs` of each trial."""

    trials: Count = 50
    hours: Positive | None = None
    epochs: Count | None = None


@dataclass(frozen=True)
class SurvivalSettings:
    """What is done when something breaks.

    A running trial silent for four times `heartbeat` seconds, or whose process is gone, is tried
    again up to `retries` times. `failures` failed trials in a row end a call.
    """

    heartbeat: Count = 15
    retries: Annotated[int, Ge(0)] = 3
    failures: Count = 5


@dataclass(frozen=True)
class ResourceSettings:
    """What a trial needs of a Ray cluster; a fraction of a GPU lets trials share it."""

    cpus: Positive = 1.0
    gpus: NonNegative = 0.0


class StudySpec(BaseModel):
    """A search: `base` names the experiment, `experiment` the keys that differ from it in all
    trials, `space` those that vary. The base's own values are the study's first trial.
    """

    model_config = STRICT

    name: Annotated[str, MinLen(1)]
    base: str
    experiment: dict[str, Any] = {}
    space: dict[str, Any] = {}
    goal: GoalSettings = GoalSettings()
    search: SearchSettings = SearchSettings()
    pruning: PruningSettings = PruningSettings()
    budget: BudgetSettings = BudgetSettings()
    survival: SurvivalSettings = SurvivalSettings()
    resources: ResourceSettings = ResourceSettings()

    @model_validator(mode="after")
    def _check_together(self) -> "StudySpec":
        if contradictions := list(_contradictions(self)):
            raise ValueError("\n".join(contradictions))
        return self


@dataclass(frozen=True)
class Search:
    """A study spec with its base experiment, as it holds for all trials, and its space.

    `files` are those it was read from.
    """

    study: StudySpec
    base: ExperimentSpec
    space: Space
    files: tuple[Path, ...] = ()

    @property
    def figures(self) -> tuple[str, ...]:
        return self.study.goal.figures

    @property
    def directions(self) -> list[Literal["minimize", "maximize"]]:
        """Returns Optuna's word for each figure of the goal."""
        return ["maximize" if f in LARGER_IS_BETTER else "minimize" for f in self.figures]

    def published(self) -> dict[str, Value]:
        """Returns the base experiment's own values of the keys that vary."""
        return {key: value_at(spec_to_mapping(self.base), key) for key in self.space}

    def trial_spec(self, params: Mapping[str, Value], threads: int = 0) -> ExperimentSpec:
        """Returns the experiment with these values of the keys that vary.

        `threads` is used where the base leaves the number of threads open.

        Raises:
            SpecError: when the values contradict each other.
        """
        mapping = spec_to_mapping(self.base)
        mapping["threads"] = mapping["threads"] or threads
        for key, value in params.items():
            put(mapping, key, value)
        return spec_from_mapping(mapping, f"a trial with {given(dict(params))}")

    def mixed_losses(self) -> list[str]:
        """Returns the searched keys that keep validation losses from being compared."""
        return [key for key in self.space if key.startswith(SCALE_OF_LOSS)]


def load_search(path: Path | str, overrides: Sequence[str] = ()) -> Search:
    """Returns the study in a YAML file, with overrides of its own or its experiment's keys.

    Raises:
        SpecError: listing the problems one a line, of the overrides, the file, or the space.
        OutputError: for a name that could be no folder's.
    """
    path = Path(path)
    mapping = _with_overrides({"name": path.stem, **read_mapping(path)}, overrides)
    study = validate(StudySpec, mapping, str(path))
    check_name(study.name, f"{path}: name")
    base_path = path.parent / study.base
    base = spec_from_mapping(_base_mapping(study, base_path), f"{path}: base {base_path}")
    if base.protocol == "original":
        raise SpecError(
            f"{path}: protocol original chooses on the test set, which a search must not; "
            "set protocol=strict"
        )
    search = Search(study, base, parse_space(study.space, str(path)), (path, base_path))
    problems = list(_space_problems(search))
    if problems:
        raise SpecError("\n  ".join([f"{path}: the search space", *problems]))
    return search


def _base_mapping(study: StudySpec, path: Path) -> dict[str, Any]:
    """Returns the base experiment as all trials have it: one seed, scored on validation data."""
    goal, epochs = study.goal, study.budget.epochs
    mapping = apply_overrides(read_mapping(path), ())
    put(mapping, "scores.validation_samples", goal.samples)
    put(mapping, "scores.validation_sequences", goal.sequences)
    if epochs is not None:
        put(mapping, "training.total_epochs", epochs)
    # Last, so that `--set total_epochs=2` counts.
    mapping = _merged(mapping, normalised(study.experiment))
    mapping["seeds"] = []
    return mapping


def _merged(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _with_overrides(mapping: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    result, problems = deepcopy(mapping), []
    for override in overrides:
        key, equals, value = override.partition("=")
        try:
            if not equals:
                raise SpecError("expected key=value")
            _put_override(result, key.strip(), strict_yaml.parse(value, "value"))
        except SpecError as error:
            problems.append(f"--set {override}: {error}")
    if problems:
        raise SpecError("\n".join(problems))
    return result


def _put_override(mapping: dict[str, Any], key: str, value: Any) -> None:
    head, _, rest = key.partition(".")
    if head == "space" and rest:
        _put_space(mapping, rest, value)
        return
    own, dotted = _resolve(key)
    if own:
        put(mapping, dotted, value)
    else:
        dotted, value = placed(dotted, value)
        put(mapping, f"experiment.{dotted}", value)


def _put_space(mapping: dict[str, Any], name: str, value: Any) -> None:
    """Sets what a key may be, whatever name the file gives it."""
    space = mapping["space"] = dict(mapping.get("space") or {})
    key = spaced_key(name)
    for other in list(space):
        if spaced_key(other) == key:
            del space[other]
    space[key] = value


def _resolve(key: str) -> tuple[bool, str]:
    """Returns True and the study's key that is meant, or False and the experiment's."""
    own = keys.leaves(StudySpec)
    others = {**keys.leaves(ExperimentSpec), **keys.parts(ExperimentSpec)}
    if key in own:
        return True, key
    if key in others or key in keys.ALIASES:
        return False, resolve(key)
    meant = [(True, dotted) for dotted in own if dotted.endswith("." + key)]
    meant += [(False, dotted) for dotted in others if dotted.endswith("." + key)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise SpecError(f"{key}: may mean {' or '.join(d for _, d in meant)}; write one of these")
    with suppress(SpecError):
        return False, resolve(key)  # an old name
    raise SpecError(
        f"{key}: unknown key; the nearest known keys are {keys.nearest(key, StudySpec)} of the "
        f"study and {keys.nearest(key, ExperimentSpec)} of the experiment"
    )


def _contradictions(study: StudySpec) -> Iterator[str]:
    goal, pruner = study.goal, study.pruning.pruner
    if len(set(goal.figures)) < len(goal.figures):
        yield f"goal.figures: expected each figure once, given {given(list(goal.figures))}"
    if len(goal.figures) > 1 and pruner != "none":
        yield f"pruning.pruner: {pruner} needs a single figure in goal.figures; set pruner=none"
    if study.search.sampler == "grid":
        for key, entry in study.space.items():
            if isinstance(entry, dict):
                yield f"space.{key}: a grid needs a list of values, given {given(entry)}"


def _space_problems(search: Search) -> Iterator[str]:
    for key, part in search.space.items():
        impossible = False
        for value in part.edges():
            mapping = spec_to_mapping(search.base)
            put(mapping, key, value)
            try:
                spec_from_mapping(mapping, "")
            except SpecError as error:
                impossible = True
                yield str(error).splitlines()[-1].strip()
        own = value_at(spec_to_mapping(search.base), key)
        if not impossible and not part.holds(own):
            where = "among its values" if isinstance(part, Choices) else "within its bounds"
            yield (
                f"{key}: the base experiment's {given(own)} is not {where}, so it could not be "
                f"compared with; let it in, or set {key} itself as well"
            )
