"""Checks of what people hand to the functions of the public surface."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from smash.errors import ForecastError

MOST_SAMPLES = 100_000
MOST_SEED = 2**63 - 1


def check_whole(what: str, value: object, least: int, most: int) -> None:
    """Checks a whole number that somebody asks for.

    Raises:
        ForecastError: when it is none, or not from `least` to `most`.
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not (whole and least <= int(value) <= most):  # type: ignore[call-overload]
        raise ForecastError(f"{what}: {value!r}; give a whole number from {least} to {most}")


def check_level(level: object) -> None:
    """Checks a probability.

    Raises:
        ForecastError: when it is none between 0 and 1.
    """
    if not (isinstance(level, (int, float, np.number)) and 0 < level < 1):
        raise ForecastError(f"levels: {level!r} is no probability between 0 and 1, such as 0.9")


def checked_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Returns growing probabilities as a tuple.

    Raises:
        ForecastError: when there are none, one is no probability, or they do not grow.
    """
    for level in levels:
        check_level(level)
    known = tuple(float(level) for level in levels)
    if not known or any(b <= a for a, b in pairwise(known)):
        raise ForecastError(f"levels: {list(known)}; give growing probabilities, such as 0.5, 0.9")
    return known
