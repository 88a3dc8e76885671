"""What a study says on the terminal: a line a trial that ends, and the gain at the end."""

from collections import Counter
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from smash.workbench.runs import console
from smash.workbench.search.findings import best_trial, published_trial
from smash.workbench.search.study_spec import Search
from smash.workbench.search.trial import FIGURES, cost_of
from smash.workbench.search.trial_history import PUBLISHED, History, error_of

UNTOUCHED = "All of this is on validation data: test data were not touched."


class Watcher:
    """Says a line a trial that ends."""

    def __init__(self, study: optuna.Study, search: Search) -> None:
        self._study, self._search = study, search
        self._seen = {t.number for t in self._history().trials if t.state.is_finished()}

    def __call__(self) -> None:
        history = self._history()
        done = [t for t in history.trials if t.state.is_finished() and t.number not in self._seen]
        for trial in done:
            self._seen.add(trial.number)
            console.say(f"trial {trial.number}: {self._line(trial, history.state_of(trial))}")
        if done:
            console.say(f"{len(history.ended)} of {self._search.study.budget.trials} trials done")

    def _history(self) -> History:
        return History.of(self._study, self._search)

    def _line(self, trial: FrozenTrial, state: str) -> str:
        settings = ", ".join(
            f"{key.rpartition('.')[2]} {_short(value)}" for key, value in trial.params.items()
        )
        if state == "fail":
            return f"failed: {error_of(trial)} ({settings})"
        if state != "complete":
            return f"{state} ({settings})"
        values = zip(self._search.figures, trial.values, strict=True)
        goal = ", ".join(f"{name} {value:.4f}" for name, value in values)
        note = ", published setting" if trial.user_attrs.get(PUBLISHED) else ""
        return f"{goal} ({settings}{note}), {cost_of(trial)['seconds']:.1f} s"


def show_results(study: optuna.Study, search: Search, path: Path | None) -> None:
    """Prints the published setting against the best one, figures and values."""
    published, best = published_trial(study), best_trial(study, search)
    history = History.of(study, search)
    states = Counter(history.state_of(trial) for trial in history.counted)
    console.say(", ".join(f"{n} {state}" for state, n in states.items()) or "no trial was run")
    if best is None or path is None:
        console.warn("no trial was completed, so there is no best spec")
        return
    columns = {} if published is None else {"published": published.user_attrs[FIGURES]}
    columns[f"best (trial {best.number})"] = best.user_attrs[FIGURES]
    console.show_figures(f"{search.study.name}: published against best, validation data", columns)
    for key, value in search.published().items():
        console.say(f"{key}: {_short(value)} published, {_short(best.params[key])} best")
    if published is None:
        console.warn("the published setting was not completed, so the gain cannot be told")
    if len(search.figures) > 1:
        console.say(
            f"{len(study.best_trials)} settings none of which is beaten in all figures: "
            f"{path.parent / 'pareto'}; best is the one nearest to the best of each figure"
        )
    console.say(UNTOUCHED)
    console.say(f"best spec: {path}; run it with: python run_experiment.py {path}")


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
