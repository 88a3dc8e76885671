"""What became of a study's trials: which were lost, which count, which came to an end.

A trial that was lost (its process killed, its machine gone) or interrupted stays in the study as
failed, is tried again under a later number, and is not counted twice.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import optuna
from optuna.trial import FrozenTrial, TrialState

from smash.workbench.search.study_spec import Search

PUBLISHED, ERROR = "published", "error"
"""Attributes of a trial: that it is the base experiment's own setting; why it failed."""
KILLS, HISTORY = "kills", "retry_history"
"""How often a trial was lost, and its numbers before; the latter is Optuna's own name for it."""
LOST = "its process was killed or lost, again and again; out of memory?"


@dataclass(frozen=True)
class Call:
    """One call of tune.py: when it started, and when it starts no more trials (epoch seconds)."""

    started: float
    deadline: float | None = None

    @classmethod
    def now(cls, hours: float | None = None) -> "Call":
        """Returns a call that starts now and may start trials for some hours."""
        started = time.time()
        return cls(started, None if hours is None else started + 3600 * hours)


@dataclass(frozen=True)
class History:
    """The trials of a study as they were at one moment; `retries` of lost ones are made."""

    trials: list[FrozenTrial]
    retries: int

    @classmethod
    def of(cls, study: optuna.Study, search: Search) -> "History":
        """Returns the history as it is now."""
        return cls(study.get_trials(deepcopy=False), search.study.survival.retries)

    @cached_property
    def lost(self) -> set[int]:
        """The numbers of trials that were tried again, or are about to be."""
        return self._tried_again | {trial.number for trial in self.left_behind}

    @cached_property
    def left_behind(self) -> list[FrozenTrial]:
        """The lost trials that are yet to be queued again; one lost too often is not."""
        failed = (trial for trial in self.trials if trial.state == TrialState.FAIL)
        return [
            trial
            for trial in failed
            if ERROR not in trial.user_attrs
            and trial.number not in self._tried_again
            and trial.system_attrs.get(KILLS, 0) < self.retries
        ]

    @cached_property
    def _tried_again(self) -> set[int]:
        return {number for trial in self.trials for number in earlier_numbers(trial)}

    @cached_property
    def counted(self) -> list[FrozenTrial]:
        """The trials that a budget counts: those that ended or run, but not the lost ones."""
        waiting = TrialState.WAITING
        return [t for t in self.trials if t.state != waiting and t.number not in self.lost]

    @cached_property
    def ended(self) -> list[FrozenTrial]:
        """The trials that came to an end of their own, in the order in which they did."""
        done = [trial for trial in self.counted if trial.state.is_finished()]
        return sorted(done, key=lambda trial: trial.datetime_complete or datetime.min)

    def holds(self, state: TrialState) -> bool:
        """Returns whether a trial is in a state."""
        return any(trial.state == state for trial in self.trials)

    def failures_in_a_row(self, call: Call) -> int:
        """Returns how many of the last trials failed, of those that ended during a call."""
        count = 0
        for trial in reversed(self.ended):
            assert trial.datetime_complete
            before = trial.datetime_complete.timestamp() < call.started
            if before or trial.state != TrialState.FAIL:
                break
            count += 1
        return count

    def state_of(self, trial: FrozenTrial) -> str:
        """Returns a trial's state in a word; `lost` for one that is tried again."""
        return "lost" if trial.number in self.lost else trial.state.name.lower()


def earlier_numbers(trial: FrozenTrial) -> list[int]:
    """Returns the numbers that a trial had when it was tried before."""
    return trial.system_attrs.get(HISTORY, [])


def error_of(trial: FrozenTrial) -> str:
    """Returns why a trial failed."""
    return trial.user_attrs.get(ERROR, LOST)
