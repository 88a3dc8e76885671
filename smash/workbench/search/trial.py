"""One trial: its model trained or found, scored on validation data, and recorded with its end."""

import gc
import logging
import math
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import TrialState

from smash.data.dataset import Dataset
from smash.data.protocol import prepare
from smash.errors import SmashError, StudyError, TrackingError
from smash.model.training import EpochRecord
from smash.workbench.runs.runner import resolve
from smash.workbench.runs.signals import Interruption
from smash.workbench.runs.stages import Run, epoch_metrics
from smash.workbench.runs.validation import validate
from smash.workbench.search.ledger import Ledger, patiently
from smash.workbench.search.study_spec import Search
from smash.workbench.search.training_cache import trained
from smash.workbench.search.trial_history import ERROR, PUBLISHED
from smash.workbench.specs.experiment_spec import ExperimentSpec, dump_spec, flatten
from smash.workbench.tracking.store import Store
from smash.workbench.tracking.tracker import Tracker

logger = logging.getLogger(__name__)

RUN, SPEC, FIGURES, COST = "mlflow_run", "spec", "figures", "cost"
"""Names of a trial's attributes: its run in MLflow, resolved spec, figures, what it cost."""
STATUS = {
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "KILLED",
    TrialState.FAIL: "FAILED",
}
"""A trial's state and the status of its run; the tag `state` has the state itself."""
HASTE = 5.0
"""Seconds that an interrupted trial's run is given to be sent."""


@dataclass(frozen=True)
class Office:
    """What a process keeps from trial to trial: the data, the study, the tracking server.

    `cache` has the trained models.
    """

    search: Search
    ledger: Ledger
    dataset: Dataset
    store: Store
    parent: str
    cache: Path
    threads: int
    interruption: Interruption = field(default_factory=Interruption)


@dataclass
class _End:
    """How a trial ended; `values` for complete ones only."""

    state: TrialState
    values: tuple[float, ...] | None = None
    tags: dict[str, str] = field(default_factory=dict)


def run_trial(office: Office, trial: optuna.Trial) -> None:
    """Runs a claimed trial and records its end, whatever it is, in Optuna and MLflow.

    Raises:
        KeyboardInterrupt: after the trial was given back.
    """
    tracker: Tracker | None = None
    with office.ledger.heartbeats(trial):
        try:
            with office.interruption.checked():
                tracker = _start_run(office, trial)
                end = _complete(office, trial, tracker)
        except optuna.TrialPruned as pruned:
            end = _End(TrialState.PRUNED, tags={"pruned": str(pruned)})
        except KeyboardInterrupt:
            with office.interruption.held():
                _give_back(office, trial, tracker)
            raise
        except StorageInternalError:  # away for a moment: the trial did nothing wrong
            _give_back(office, trial, tracker)
            return
        except UpdateFinishedTrialError:
            end = _End(TrialState.FAIL, tags={"error": "taken for lost, and tried again"})
        except Exception as error:  # noqa: BLE001 (the study goes on, whatever a trial meets)
            end = _failed(trial, tracker, error)
        with office.interruption.held():
            recorded = office.ledger.tell(trial, end.state, end.values)
            if tracker is not None:
                _close(tracker, end, recorded)


def _start_run(office: Office, trial: optuna.Trial) -> Tracker:
    study = office.search.study.name
    tags = {"study": study, "trial": str(trial.number), "state": "running"}
    if trial.user_attrs.get(PUBLISHED):
        tags["published"] = "true"
    tracker = office.store.start(f"trial {trial.number}", tags, office.parent, system_metrics=False)
    trial.set_user_attr(RUN, tracker.run_id)
    return tracker


def _complete(office: Office, trial: optuna.Trial, tracker: Tracker) -> _End:
    started = time.perf_counter()
    spec = resolve(_described(office, trial))
    tracker.log_params(flatten(spec))
    tracker.log_text(dump_spec(spec), "spec.yaml")
    trial.set_user_attr(SPEC, dump_spec(spec))
    data = prepare(office.dataset, spec.protocol, spec.scaling)
    run = Run(spec, office.dataset, data, tracker, spec.device)
    training = trained(run, office.cache, _listener(office, trial, spec, tracker))
    figures = validate(run, training.model)
    values = tuple(_checked(name, figures) for name in office.search.figures)
    cost = {
        "seconds": time.perf_counter() - started,
        "epochs_trained": training.epochs,
        "epochs": len(training.records),
        "validation_loss": training.best_loss,
    }
    trial.set_user_attr(FIGURES, figures)
    trial.set_user_attr(COST, cost)
    return _End(TrialState.COMPLETE, values, {"epochs_trained": str(training.epochs)})


def _described(office: Office, trial: optuna.Trial) -> ExperimentSpec:
    spec = office.search.trial_spec(trial.params, office.threads)
    what = f"Trial {trial.number} of the study {office.search.study.name}."
    described = f"{spec.description}\n\n{what}" if spec.description else what
    return spec.model_copy(update={"description": described})


def _listener(
    office: Office, trial: optuna.Trial, spec: ExperimentSpec, tracker: Tracker
) -> Callable[[EpochRecord, bool], None]:
    """Returns what is done after an epoch: logged, told to the pruner, stopped if it says so.

    The published setting is never stopped, as the gain is measured from it.
    """
    reports = len(trial.study.directions) == 1
    spared = bool(trial.user_attrs.get(PUBLISHED))

    def after_epoch(record: EpochRecord, now: bool) -> None:
        office.interruption.check()
        tracker.log_metrics(epoch_metrics(record), step=record.epoch)
        if record.validation_loss is None or not reports:
            return
        trial.report(record.validation_loss, record.epoch)
        last = record.epoch == spec.training.total_epochs
        if now and not (last or spared) and trial.should_prune():
            raise optuna.TrialPruned(f"after epoch {record.epoch}, by the validation loss")

    return after_epoch


def _checked(name: str, figures: dict[str, float]) -> float:
    if name not in figures:
        raise StudyError(f"goal.figures: there is no {name}; there are {', '.join(figures)}")
    if not math.isfinite(figures[name]):
        raise StudyError(f"{name} is {figures[name]} on the validation data")
    return figures[name]


def _failed(trial: optuna.Trial, tracker: Tracker | None, error: Exception) -> _End:
    reason = str(error) if isinstance(error, SmashError) else f"{type(error).__name__}: {error}"
    reason = " ".join(reason.split())[:1000]
    patiently(lambda: trial.set_user_attr(ERROR, reason))
    if tracker is not None:
        tracker.log_text("".join(traceback.format_exception(error)), "error.txt")
    error.__traceback__ = None  # which holds the tensors that memory may have run out for
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return _End(TrialState.FAIL, tags={"error": reason})


def _give_back(office: Office, trial: optuna.Trial, tracker: Tracker | None) -> None:
    office.ledger.release(trial)
    if tracker is not None:
        tracker.set_tags({"state": "interrupted"})
        _close_quietly(tracker, "KILLED", HASTE)


def _close(tracker: Tracker, end: _End, recorded: bool) -> None:
    state, status = end.state.name.lower(), STATUS[end.state]
    if not recorded:
        state, status = "lost", "KILLED"
    tracker.set_tags({"state": state, **end.tags})
    _close_quietly(tracker, status)


def _close_quietly(tracker: Tracker, status: str, *deadline: float) -> None:
    try:
        tracker.close(status, *deadline)
    except TrackingError as unsent:  # the study has the trial; its run can be sent later
        logger.warning("%s", unsent)


def cost_of(trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    """Returns what a trial cost: seconds, epochs trained by it, best validation loss."""
    return trial.user_attrs.get(COST, {})
