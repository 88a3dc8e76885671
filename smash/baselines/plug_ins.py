"""Forecasters of others: fitted by a function that anyone can write, found by its name.

A name is `package.module:function`, or an entry point of the group `smash.baselines` in an
installed package. The function takes a `Fitting` and returns a `smash.law.forecaster.Forecaster`;
`docs/plug-ins.md` shows one.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import torch

from smash.baseline_names import GROUP, RIVAL
from smash.data.events import EventSequences
from smash.errors import BaselineError, SmashError
from smash.law.forecaster import Forecaster

TRIAL_DRAWS = 2


@dataclass(frozen=True)
class Fitting:
    """What a forecaster is fitted to: raw units, and never the test data.

    `train` is to be learnt from; `validation` may choose among settings or epochs. `n_marks` is K,
    1 for unmarked data. `time_unit` and `location_unit` are names; `seed` is the run's, `device`
    where to compute. `budget`: processor seconds after which a fit that goes on by steps is to end
    with what it has; None: it takes as many as it takes.
    """

    train: EventSequences
    validation: EventSequences
    n_marks: int
    time_unit: str
    location_unit: str
    seed: int
    device: str = "cpu"
    budget: float | None = None

    def generator(self) -> torch.Generator:
        """Returns a generator seeded for the fit."""
        return torch.Generator().manual_seed(self.seed)


Fit = Callable[[Fitting], Forecaster]


def fit_plug_in(name: str, fitting: Fitting) -> Forecaster:
    """Returns the forecaster that the function `name` fits, once it has forecast an event.

    Raises:
        BaselineError: when there is no such function, it raises, or what it returns is no
            forecaster or forecasts what cannot be scored.
    """
    fit = _rival(name) if name.startswith(RIVAL) else _found(name)
    with blamed(name, "its fit failed"):
        fitted = fit(fitting)
    if not isinstance(fitted, Forecaster):
        raise BaselineError(
            f"{name}: returned a {type(fitted).__name__}, which is no "
            "smash.law.forecaster.Forecaster; return one (docs/plug-ins.md)"
        )
    with blamed(name, "its forecast failed"):
        _try(name, fitted, fitting)
    return fitted


@contextmanager
def blamed(name: str, what: str, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turns what the code of a plug-in raises, `but` some, into a BaselineError that names it.

    Raises:
        BaselineError: saying what failed, with the exception's kind and message.
    """
    passed: tuple[type[Exception], ...] = (BaselineError, *but)
    try:
        yield
    except passed:
        raise
    except SmashError as error:
        raise BaselineError(f"{name}: {what}: {error}") from error
    except (Exception, SystemExit) as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # which Lightning makes an exit of
            raise KeyboardInterrupt from error
        said = " ".join(str(error).split())[:300] or "no reason given"
        raise BaselineError(f"{name}: {what} ({type(error).__name__}: {said})") from error


def _rival(name: str) -> Fit:
    from smash.baselines.rivals import fit_rival  # which imports this module

    return lambda fitting: fit_rival(name, fitting)


def _found(name: str) -> Fit:
    found: Any
    for point in entry_points(group=GROUP, name=name):
        with blamed(name, f"cannot be imported from {point.value}"):
            found = point.load()
            break
    else:
        found = _imported(name)
    if not callable(found):
        raise BaselineError(f"{name}: is a {type(found).__name__}; name a function that fits")
    return found


def _imported(name: str) -> Any:
    module, _, path = name.partition(":")
    if (here := os.getcwd()) not in sys.path:  # where the user's own modules lie
        sys.path.append(here)
    with blamed(name, f"the module {module} cannot be imported"):
        found: Any = import_module(module)
    for part in path.split("."):
        if not hasattr(found, part):
            raise BaselineError(f"{name}: the module {module} has no {path}; check the name")
        found = getattr(found, part)
    return found


def _try(name: str, forecaster: Forecaster, fitting: Fitting) -> None:
    """Checks the forecasts of one validation sequence, so that a wrong shape is said early."""
    sequence = fitting.validation.select([0])
    drawn = list(forecaster.forecast(sequence, TRIAL_DRAWS, fitting.generator()))
    n_targets = sum(len(forecast.targets) for forecast in drawn if forecast.final)
    if n_targets != len(sequence.targets()):
        raise BaselineError(
            f"{name}: forecasts {n_targets} events of a sequence that has "
            f"{len(sequence.targets())} targets, all but its first event"
        )
    for forecast in drawn:
        n, samples = len(forecast.targets), forecast.samples
        expected: dict[str, tuple[int, ...]] = {
            "gap": (n, TRIAL_DRAWS),
            "location": (n, TRIAL_DRAWS, 2),
        }
        if samples.mark is not None:
            expected |= dict.fromkeys(("mark", "mark_mode"), (n, TRIAL_DRAWS))
            expected["mark_probability"] = (n, fitting.n_marks)
        for part, shape in expected.items():
            given = getattr(getattr(samples, part), "shape", None)
            if given != shape:
                raise BaselineError(
                    f"{name}: its samples' {part} has the shape {given}; expected {shape}"
                )
