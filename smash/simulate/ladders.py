"""Ladders: simulated data that differ in one thing alone, from none of it to much.

The law of every rung is known (`smash.simulate.simulator.Oracle`), so that a forecaster's distance
from what could be known is seen to grow, or not, with that thing.
"""

from dataclasses import replace
from typing import Any

from smash.errors import SpecError
from smash.settings import SimulatorSettings

LADDERS: dict[str, tuple[str, tuple[float, ...]]] = {
    "marks": ("mark_influence", (0.0, 0.25, 0.5, 0.75, 1.0)),
    "excitation": ("branching", (0.05, 0.25, 0.45, 0.65, 0.85)),
}
"""By name, the setting that a ladder climbs by and its values from the lowest rung on."""


def ladder(name: str, settings: SimulatorSettings) -> tuple[SimulatorSettings, ...]:
    """Returns the settings of each rung; what a ladder does not climb by is as in `settings`.

    `marks`: how much an event's mark says of its offspring. `excitation`: how many offspring an
    event has.

    Raises:
        SpecError: when there is no such ladder.
    """
    if name not in LADDERS:
        raise SpecError(f"no ladder is called {name!r}; known are {', '.join(LADDERS)}")
    setting, values = LADDERS[name]
    rungs: list[dict[str, Any]] = [{setting: value} for value in values]
    return tuple(replace(settings, **rung) for rung in rungs)
