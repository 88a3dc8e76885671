"""The search space: which keys of an experiment spec vary, and between what."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from smash.errors import SpecError
from smash.workbench.specs import keys
from smash.workbench.specs.experiment_spec import ExperimentSpec, placed, resolve
from smash.workbench.specs.schema import given

if TYPE_CHECKING:  # a second that a wrong spec need not wait
    from optuna.distributions import BaseDistribution

SECTIONS = ("scaling", "model", "objective", "training", "sampling")
"""Sections of an experiment whose keys may vary. Others change what a score is measured on."""

Value = bool | int | float | str | None


@dataclass(frozen=True)
class Choices:
    """A key takes one of these values."""

    values: tuple[Value, ...]

    def holds(self, value: Value) -> bool:
        return value in self.values

    def edges(self) -> tuple[Value, ...]:
        """Returns the values that have to be valid for all to be."""
        return self.values

    def plain(self) -> Any:
        return list(self.values)

    def distribution(self) -> "BaseDistribution":
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)


@dataclass(frozen=True)
class Range:
    """A key takes a value from `low` to `high`, both included; `whole` for whole numbers.

    `log`: evenly spread over the logarithm. `step`: multiples of it above `low` alone.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    def holds(self, value: Value) -> bool:
        return self.distribution()._contains(value)  # type: ignore[arg-type]

    def edges(self) -> tuple[Value, ...]:
        return self.low, self.high

    def plain(self) -> Any:
        return {"low": self.low, "high": self.high, "log": self.log, "step": self.step}

    def distribution(self) -> "BaseDistribution":
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), self.log, int(self.step or 1))
        return FloatDistribution(self.low, self.high, self.log, self.step)


Space = Mapping[str, Choices | Range]
"""What varies, by dotted key of the experiment spec."""


def parse_space(mapping: Mapping[str, Any], source: str) -> Space:
    """Returns the space written as a list of values or bounds a key; null leaves a key out.

    Raises:
        SpecError: listing every problem, one a line.
    """
    space: dict[str, Choices | Range] = {}
    problems = []
    for name, entry in mapping.items():
        try:
            key = spaced_key(name)
            if key in space:
                raise SpecError("stands there twice, under two names; leave one out")
            if entry is not None:
                space[key] = _parse_entry(key, entry)
        except SpecError as error:
            problems.append(f"space.{name}: {error}")
    if not space and not problems:
        problems = ["space: is empty; name a key and what it may be, as sigma_time: [0.1, 0.2]"]
    if problems:
        raise SpecError("\n  ".join([f"{source}: the search space", *problems]))
    return space


def spaced_key(name: str) -> str:
    """Returns the dotted key of an experiment that `name` stands for, if it may vary.

    Raises:
        SpecError: when there is no such key, or it must stay.
    """
    key = resolve(name)
    key, _ = placed(key, 0)
    if key.partition(".")[0] not in SECTIONS:
        raise SpecError(
            f"{key} cannot be searched: scores would not be comparable; the keys that can are "
            f"those of {', '.join(SECTIONS)}"
        )
    return key


def grid(space: Space) -> Iterator[dict[str, Value]]:
    """Yields every combination of a space of choices."""
    values = [part.values for part in space.values() if isinstance(part, Choices)]
    for combination in product(*values):
        yield dict(zip(space, combination, strict=True))


def _parse_entry(key: str, entry: Any) -> Choices | Range:
    if isinstance(entry, list):
        return _parse_choices(entry)
    if isinstance(entry, dict):
        return _parse_range(key, entry)
    raise SpecError(
        f"expected a list of values, or low and high, given {given(entry)}; to hold the key at "
        f"one value set it under experiment"
    )


def _parse_choices(values: list[Any]) -> Choices:
    if not values:
        raise SpecError("an empty list; give the values it may take")
    if nested := [value for value in values if isinstance(value, list | dict)]:
        raise SpecError(f"expected single values, given {given(nested[0])}")
    if len(set(values)) < len(values):
        raise SpecError(f"expected each value once, given {given(values)}")
    return Choices(tuple(values))


def _parse_range(key: str, entry: dict[str, Any]) -> Range:
    kind = _plain_kind(key)
    if kind not in (int, float):
        raise SpecError(f"takes {keys.describe(keys.leaves(ExperimentSpec)[key])}; give a list")
    _check_fields(entry)
    low, high = _number(entry, "low", kind), _number(entry, "high", kind)
    step = None if entry.get("step") is None else _number(entry, "step", kind)
    log = entry.get("log", False)
    if not isinstance(log, bool):
        raise SpecError(f"log: expected true or false, given {given(log)}")
    if low >= high:
        raise SpecError(f"low ({low:g}) has to be less than high ({high:g})")
    if log and low <= 0:
        raise SpecError(f"low ({low:g}) has to be positive where log is true")
    if step is not None and (log or not 0 < step <= high - low):
        raise SpecError(f"step ({step:g}) has to fit between low and high, and log to be false")
    return Range(low, high, log, step, whole=kind is int)


def _check_fields(entry: dict[str, Any]) -> None:
    fields = ("low", "high", "log", "step")
    for name in entry:
        if name not in fields:
            hint = get_close_matches(name, fields, 1) or fields[:1]
            raise SpecError(f"{name}: unknown key; the nearest known key is {hint[0]}")
    if missing := [name for name in fields[:2] if name not in entry]:
        raise SpecError(f"{' and '.join(missing)} missing; give low and high")


def _number(entry: dict[str, Any], name: str, kind: type) -> float:
    value = entry[name]
    accepted: dict[type, Callable[[Any], bool]] = {
        int: lambda value: type(value) is int,
        float: lambda value: type(value) in (int, float) and abs(value) < float("inf"),
    }
    if not accepted[kind](value):
        raise SpecError(f"{name}: expected {keys.describe(kind)}, given {given(value)}")
    return kind(value)


def _plain_kind(key: str) -> Any:
    kind = keys.leaves(ExperimentSpec)[key]
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind
