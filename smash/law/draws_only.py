"""Forecasters that draw next events, and say no more of their law."""

from abc import abstractmethod
from collections.abc import Iterator

import torch

from smash.data.events import EventSequences, Targets
from smash.errors import ForecastError
from smash.law.forecaster import Forecaster
from smash.law.log_density import LogDensity
from smash.law.next_event_law import NextEventLaw
from smash.law.samples import Forecast

DRAWS_ALONE = "it draws alone and gives no law"
"""What such a forecaster lacks."""


class DrawsOnly(Forecaster):
    """Gives draws of the targets of sequences: they are scored, but there are no log losses.

    Nor are there futures, which ask for the law after what was drawn before.
    """

    @abstractmethod
    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        """Yields S draws of all targets of `sequences` in order, some at a time."""

    def log_densities(self, sequences: EventSequences) -> LogDensity:
        return LogDensity(lacking=DRAWS_ALONE)

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        raise ForecastError(f"{type(self).__name__}: {DRAWS_ALONE}")

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        raise ForecastError(f"{type(self).__name__}: {DRAWS_ALONE}")
