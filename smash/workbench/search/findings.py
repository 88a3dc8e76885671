"""What a study found: its table of trials, its best spec, and the plots, all in MLflow."""

import logging
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from mlflow.exceptions import MlflowException
from optuna.trial import FrozenTrial, TrialState
from requests import RequestException

from smash.files import write_text
from smash.spreadsheets import to_csv
from smash.workbench.runs.signals import Interruption
from smash.workbench.search.study_plots import plots
from smash.workbench.search.study_spec import Search
from smash.workbench.search.trial import FIGURES, RUN, SPEC, STATUS, cost_of
from smash.workbench.search.trial_history import PUBLISHED, History, earlier_numbers, error_of
from smash.workbench.specs import strict_yaml
from smash.workbench.specs.experiment_spec import dump_spec, spec_from_mapping
from smash.workbench.tracking.store import Store
from smash.workbench.tracking.tracker import Tracker

logger = logging.getLogger(__name__)

BEST = "best.yaml"


def best_trial(study: optuna.Study, search: Search) -> FrozenTrial | None:
    """Returns the best complete trial, None where there is none.

    With several figures: of the trials on the Pareto front the one nearest to the best value of
    each figure, distances measured in spreads of the front.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not complete:
        return None
    if len(search.figures) == 1:
        return study.best_trial
    front = study.best_trials
    signs = [1.0 if direction == "minimize" else -1.0 for direction in search.directions]
    values = np.array([trial.values for trial in front]) * signs
    spread = np.ptp(values, axis=0)
    scaled = (values - values.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    return front[int(np.linalg.norm(scaled, axis=1).argmin())]


def published_trial(study: optuna.Study) -> FrozenTrial | None:
    """Returns the complete trial of the base experiment's own settings, None if there is none."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return next((trial for trial in complete if trial.user_attrs.get(PUBLISHED)), None)


def trials_table(study: optuna.Study, search: Search) -> pd.DataFrame:
    """Returns a row a trial: number, state, parameters, goal, figures, cost, run, error."""
    history = History.of(study, search)
    rows = []
    for trial in history.trials:
        row: dict[str, object] = {"trial": trial.number, "state": history.state_of(trial)}
        row |= {key: trial.params.get(key) for key in search.space}
        row |= {f"validation/{k}": v for k, v in trial.user_attrs.get(FIGURES, {}).items()}
        row |= cost_of(trial)
        row["published"] = bool(trial.user_attrs.get(PUBLISHED))
        row["tried_before_as"] = ", ".join(map(str, earlier_numbers(trial)))
        row["run_id"] = trial.user_attrs.get(RUN)
        row["error"] = error_of(trial) if row["state"] == "fail" else None
        rows.append(row)
    return pd.DataFrame(rows)


def write_best(study: optuna.Study, search: Search, folder: Path) -> Path | None:
    """Returns the file, `folder`/best.yaml, with the spec of the best trial; None without one.

    Several figures: the specs of the whole Pareto front stand in `folder`/pareto beside it.
    """
    best = best_trial(study, search)
    if best is None:
        return None
    if len(search.figures) > 1:
        for trial in study.best_trials:
            _write_spec(trial, search, folder / "pareto" / f"trial-{trial.number:04d}.yaml")
    path = folder / BEST
    _write_spec(best, search, path)
    return path


def log_results(
    study: optuna.Study,
    search: Search,
    parent: Tracker,
    folder: Path,
    interruption: Interruption,
) -> Path | None:
    """Returns where the best spec was written, after logging all there is to the parent run."""
    table = trials_table(study, search)
    parent.log_table(table, "trials.parquet")
    parent.log_text(to_csv(table), "trials.csv")
    parent.set_tags({f"trials/{state}": n for state, n in table["state"].value_counts().items()})
    for name, trial in (("published", published_trial(study)), ("best", best_trial(study, search))):
        if trial is not None:
            figures = trial.user_attrs[FIGURES]
            parent.log_metrics({f"{name}/{figure}": value for figure, value in figures.items()})
            parent.set_tags({f"{name}/trial": trial.number, f"{name}/run": trial.user_attrs[RUN]})
    path = write_best(study, search, folder)
    if path is not None:
        parent.log_artifact(path)
    if (folder / "pareto").is_dir():
        parent.log_artifact(folder / "pareto")
    for name, figure in plots(study, search.figures):
        parent.log_figure(figure, f"figures/{name}.png")
        interruption.check()
    return path


def mend_children(history: History, store: Store, parent: str) -> None:
    """Ends the runs of trials whose process was killed before it could."""
    try:
        running = store.client.search_runs(
            [store.experiment_id],
            f"tags.`mlflow.parentRunId` = '{parent}' and attributes.status = 'RUNNING'",
            max_results=1000,
        )
        for run in running:
            trial = history.trials[int(run.data.tags["trial"])]
            if not trial.state.is_finished():
                continue
            own = trial.user_attrs.get(RUN) == run.info.run_id
            state = history.state_of(trial) if own else "lost"
            for figure, value in trial.user_attrs.get(FIGURES, {}).items() if own else ():
                store.client.log_metric(run.info.run_id, f"validation/{figure}", value)
            store.client.set_tag(run.info.run_id, "state", state)
            status = "KILLED" if state == "lost" else STATUS[trial.state]
            store.client.set_terminated(run.info.run_id, status)
    except (MlflowException, RequestException, OSError) as error:
        logger.warning("tracking: runs of lost trials could not be ended: %s", error)


def _write_spec(trial: FrozenTrial, search: Search, path: Path) -> None:
    mapping = strict_yaml.parse(trial.user_attrs[SPEC], f"trial {trial.number}")
    values = zip(search.figures, trial.values, strict=True)
    found = ", ".join(f"{name} {value:.6g}" for name, value in values)
    mapping["description"] += f" On validation data: {found}."
    write_text(path, dump_spec(spec_from_mapping(mapping)))
