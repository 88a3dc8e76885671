"""Forecasters of others for a contest: one that is well, and some that are not."""

import os
import signal

from smash.baselines import Climatology
from smash.baselines.plug_ins import Fitting
from smash.law.draws_only import DrawsOnly
from smash.law.forecaster import Forecaster


def well(fitting: Fitting) -> Forecaster:
    return Climatology.fit(fitting.train, fitting.n_marks)


def ill(fitting: Fitting) -> Forecaster:
    raise ZeroDivisionError("nothing to divide by")


def endless(fitting: Fitting) -> Forecaster:
    while True:
        pass


class Deaf:
    """Its destructor takes as long as it can, and what ends it is dropped by Python."""

    def __del__(self) -> None:
        while True:
            pass


def deaf(fitting: Fitting) -> Forecaster:
    Deaf()
    return endless(fitting)


def killed(fitting: Fitting) -> Forecaster:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def budgeted(fitting: Fitting) -> Forecaster:
    raise ZeroDivisionError(f"told {fitting.budget:g}")


class Draws(DrawsOnly):
    """Draws as climatology does and has no law."""

    def __init__(self, of: Forecaster) -> None:
        self.of = of

    @property
    def n_marks(self) -> int:
        return self.of.n_marks

    def forecast(self, sequences, n_samples, generator):
        yield from self.of.forecast(sequences, n_samples, generator)


def drawing(fitting: Fitting) -> Forecaster:
    return Draws(well(fitting))
