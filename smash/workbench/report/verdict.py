"""What the figures say in words: is a model better than the baselines, and is it calibrated."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from smash.scores import cs_critical
from smash.scores.summary import percent
from smash.settings import ScoreSettings
from smash.workbench.report.document import Verdict
from smash.workbench.report.labels import SKILLS
from smash.workbench.report.logged_comparison import Comparison, Estimate
from smash.workbench.report.logged_run import Run
from smash.workbench.report.run_groups import DataSet, Group

RIVALS = {
    "climatology": ("climatology", "climatology, which ignores history"),
    "mixture": ("the mixture", "the intensity-free mixture, what one would use instead"),
    "folded_mixture": ("the folded mixture", "the same mixture that saw folded sequences too"),
}
"""Baselines by name: in short, and with what they are."""
ALWAYS = ("climatology", "mixture")
"""Those without which it is not known whether a model earned its keep."""
IN_TRAIN = "data/test_in_train"
"""The tag of runs with the share of test targets that stand in the training data."""
SEED = 1_299_709
"""Of the simulated calibration scores, so that a verdict repeats."""
SCORES = {"time": "CRPS", "location": "energy score", "mark": "log loss"}
JUDGED = {
    "better": "it is better in",
    "worse": "it is worse in",
    "level": "no difference is shown in",
}
KINDS = {"time": "intervals of time", "location": "regions of location"}


@dataclass(frozen=True)
class Outcome:
    """A model against a baseline in one part of the forecast; `change` is its score's, in %."""

    part: str
    change: float
    judged: str


def verdict(data: DataSet, comparisons: Mapping[str, Comparison]) -> Verdict:
    """Returns what is to be said of a data set's best model: in short, and by how much."""
    if not data.models:
        return Verdict(_without_model(data))
    best = data.models[0]
    rivals = [name for name in RIVALS if name in ALWAYS or data.rival(name, best)]
    outcomes = {name: _outcomes(data, best, name, comparisons) for name in rivals}
    sentences = [
        _basis(data, best),
        _seen_in_training(best),
        *(_against(name, found) for name, found in outcomes.items()),
        _tested(best, comparisons),
        _calibration(best),
    ]
    quick = "This was the quick profile, few samples and events: no result. "
    short = (quick if best.quick else "") + _in_short(data, best, outcomes)
    if share := in_train(best):
        short += f" But {_percent(share)} of its test targets stand in the training data."
    return Verdict(short, " ".join(filter(None, sentences)))


def _without_model(data: DataSet) -> str:
    if data.baselines:
        names = ", ".join(dict.fromkeys(group.label for group in data.baselines))
        return f"On {data.name} only baselines were tested ({names}), so there is no verdict."
    return f"On {data.name} nothing was tested yet, so there is no verdict."


def _in_short(data: DataSet, group: Group, outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    said = []
    for name, found in outcomes.items():
        short, _ = RIVALS[name]
        better = [outcome.part for outcome in found if outcome.judged == "better"]
        others = [outcome.part for outcome in found if outcome.judged != "better"]
        if better and others:
            said.append(f"beats {short} in {_listed(better)} but not in {_listed(others)}")
        elif better:
            said.append(f"beats {short} in {_listed(better)}")
        elif others:
            said.append(f"does not beat {short} in {_listed(others, 'or')}")
    for what, kind in KINDS.items():
        if (score := group.mean(f"cs_{what}")) is not None and (bound := cs_bound(group)):
            said.append(f"its {kind} are {'' if score <= bound else 'not '}calibrated")
    return f"On {data.name}, {group.label} {'; '.join(said) or 'was not compared'}."


def _basis(data: DataSet, group: Group) -> str:
    events, distinct = group.mean("n_events"), group.mean("n_distinct")
    of = f"{events:.0f} test events"
    if distinct and events != distinct:
        of += f", {distinct:.0f} of them distinct"
    seeds = "one seed" if len(group.runs) == 1 else f"{len(group.runs)} seeds"
    best = f"the best of {len(data.models)} models; " if len(data.models) > 1 else ""
    text = f"{best}{of}; {seeds}; protocol {group.first.protocol}."
    return text[0].upper() + text[1:]


def in_train(group: Group) -> float:
    """Returns the share of test targets that stand in the training data; 0 where none is known."""
    shares = []
    for run in group.runs:
        try:
            shares.append(float(run.tags.get(IN_TRAIN, 0)))
        except ValueError:  # a tag that somebody changed
            continue
    return max([share for share in shares if np.isfinite(share)], default=0.0)


def _seen_in_training(group: Group) -> str:
    """Returns what shared events mean for the figures; nothing where test events are new."""
    share = in_train(group)
    if not share:
        return ""
    return (
        f"{_percent(share)} of the test targets stand in the training data too, so the figures say "
        "in part what was learnt by heart, not what is foreseen; split the data so that they share "
        "no event."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _outcomes(
    data: DataSet, group: Group, name: str, comparisons: Mapping[str, Comparison]
) -> list[Outcome]:
    rival = data.rival(name, group)
    found = []
    for part, score in SKILLS.items():
        own, theirs = group.mean(score), rival.mean(score) if rival else None
        if own is not None and theirs:
            change = 100 * (own / theirs - 1)
            tests = _tests(group, name, score, comparisons)
            found.append(Outcome(part, change, _judged(change, tests)))
    return found


def _against(name: str, outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return (
            f"Against {RIVALS[name][0]} it was not tested on the same events, so it is not known "
            "whether it earned its keep; add --set baselines=[climatology,mixture]."
        )
    said = []
    for judged, words in JUDGED.items():
        parts = [
            f"{o.part} ({SCORES[o.part]} {'−' if o.change < 0 else '+'}{abs(o.change):.1f} %)"
            for o in outcomes
            if o.judged == judged
        ]
        if parts:
            said.append(f"{words} {_listed(parts)}")
    return f"Against {RIVALS[name][1]}, {'; '.join(said)}."


def _judged(change: float, tests: Sequence[Estimate]) -> str:
    """Returns better, worse or level: by the intervals of all seeds, else beyond one per cent."""
    if tests:
        if all(t.high is not None and t.high < 0 for t in tests):
            return "better"
        if all(t.low is not None and t.low > 0 for t in tests):
            return "worse"
        return "level"
    if abs(change) < 1:
        return "level"
    return "better" if change < 0 else "worse"


def _tests(
    group: Group, rival: str, score: str, comparisons: Mapping[str, Comparison]
) -> list[Estimate]:
    """Returns a test of each seed; none unless every seed has one."""
    found = [_of(run, comparisons).get(rival, {}).get(score) for run in group.runs]
    return [test for test in found if test is not None] if all(found) else []


def _of(run: Run, comparisons: Mapping[str, Comparison]) -> Mapping[str, Mapping[str, Estimate]]:
    return comparisons[run.run_id].against if run.run_id in comparisons else {}


def _tested(group: Group, comparisons: Mapping[str, Comparison]) -> str:
    """Returns how it was told whether a difference is one."""
    rivals = [name for name in RIVALS if any(name in _of(run, comparisons) for run in group.runs)]
    if rivals:
        return "Better and worse: the 95 % interval of the paired difference leaves out zero."
    return "No intervals were logged: differences below 1 % are taken for none."


def cs_bound(group: Group) -> float | None:
    """Returns the CS that a perfect forecaster stays below in 95 % of cases."""
    n = group.mean("n_distinct")
    return cs_critical(int(n), levels_of(group), np.random.default_rng(SEED)) if n else None


def _calibration(group: Group) -> str:
    floor, critical = group.mean("cs_floor"), cs_bound(group)
    if floor is None or critical is None:
        return ""
    said = [
        _calibrated(group, what, score, critical)
        for what in KINDS
        if (score := group.mean(f"cs_{what}")) is not None
    ]
    return (
        f"Calibration: chance alone gives a perfect forecaster a CS of {100 * floor:.2f} %, in "
        f"95 % of cases below {100 * critical:.2f} %; {'; '.join(said)}."
    )


def _calibrated(group: Group, what: str, score: float, critical: float) -> str:
    text = f"in {what} it has {100 * score:.2f} %"
    if score <= critical:
        return f"{text}, which cannot be told from perfect"
    levels = levels_of(group)
    covered = [group.mean(f"coverage_{what}_{percent(level)}") for level in levels]
    excess = [c - q for c, q in zip(covered, levels, strict=True) if c is not None]
    text += f", {score / critical:.1f} times that bound: the {KINDS[what]}"
    if not excess or abs(np.mean(excess)) < score / 2:
        return f"{text} miss their levels"
    return f"{text} hold the truth too {'often' if np.mean(excess) > 0 else 'rarely'}"


def levels_of(group: Group) -> tuple[float, ...]:
    """Returns the levels that a group's CS is the mean over."""
    usual = ScoreSettings().levels
    try:
        return tuple(float(q) for q in json.loads(group.first.params["scores.levels"])) or usual
    except (KeyError, ValueError, TypeError):
        return usual


def _listed(parts: Sequence[str], last: str = "and") -> str:
    """Returns "a", "a and b", "a, b and c"."""
    return f" {last} ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
