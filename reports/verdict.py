"""What the figures say in words: is a model better than the baselines, and is it calibrated."""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from reports.comparison import Comparison, Estimate
from reports.groups import DataSet, Group
from reports.store import Run
from reports.words import SKILLS
from smash.scores import cs_critical

RIVALS = {
    "climatology": "climatology, which ignores history",
    "mixture": "the intensity-free mixture, what one would use instead",
}
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9)
SEED = 1_299_709
"""Of the simulated calibration scores, so that a verdict repeats."""
PARTS = {
    "time": "time (CRPS {})",
    "location": "location (energy score {})",
    "mark": "mark (log loss {})",
}


def verdict(data: DataSet, comparisons: Mapping[str, Comparison]) -> str:
    """Returns the paragraph on a data set's best model."""
    if not data.models:
        return _without_model(data)
    best = data.models[0]
    sentences = [
        _opening(data, best),
        *(_against(data, best, rival, comparisons) for rival in RIVALS),
        _tested(best, comparisons),
        _calibration(best),
    ]
    if best.quick:
        sentences.append("This was the quick profile: few samples and events, no result.")
    return " ".join(filter(None, sentences))


def _without_model(data: DataSet) -> str:
    if data.baselines:
        names = ", ".join(dict.fromkeys(group.label for group in data.baselines))
        return f"On {data.name} only baselines were tested ({names}), so there is no verdict."
    return f"On {data.name} nothing was tested yet, so there is no verdict."


def _opening(data: DataSet, group: Group) -> str:
    events, distinct = group.mean("n_events"), group.mean("n_distinct")
    of = (
        f"{events:.0f} test events"
        if events == distinct or not distinct
        else (f"{events:.0f} test events, {distinct:.0f} of them distinct")
    )
    seeds = "one seed" if len(group.runs) == 1 else f"{len(group.runs)} seeds"
    text = f"On {data.name} ({of}; {seeds}; protocol {group.first.protocol})"
    if len(data.models) > 1:
        text += f" the best of {len(data.models)} models is {group.label}."
        return text
    return f"{text}, the model {group.label} stands as follows."


def _against(data: DataSet, group: Group, name: str, comparisons: Mapping[str, Comparison]) -> str:
    rival = data.rival(name, group)
    if rival is None:
        return (
            f"Against {name} it was not tested on the same events, so it is not known whether it "
            f"earned its keep; add --set baselines=[climatology,mixture]."
        )
    outcomes: dict[str, list[str]] = {"better": [], "worse": [], "level": []}
    for part, score in SKILLS.items():
        own, theirs = group.mean(score), rival.mean(score)
        if own is None or theirs is None or not theirs:
            continue
        tests = _tests(group, name, score, comparisons)
        change = 100 * (own / theirs - 1)
        sign = "+" if change >= 0 else "−"
        shown = PARTS[part].format(f"{sign}{abs(change):.1f} %")
        outcomes[_judged(change, tests)].append(shown)
    return f"Against {RIVALS[name]}, {_said(outcomes)}"


def _said(outcomes: Mapping[str, Sequence[str]]) -> str:
    words = {
        "better": "it is better in {}",
        "worse": "it is worse in {}",
        "level": "no difference is shown in {}",
    }
    said = [words[kind].format(_listed(parts)) for kind, parts in outcomes.items() if parts]
    if not said:
        return "no score can be compared."
    return "; ".join(said) + "."


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


def _calibration(group: Group) -> str:
    floor, n = group.mean("cs_floor"), group.mean("n_distinct")
    if floor is None or not n:
        return ""
    levels = levels_of(group)
    critical = cs_critical(int(n), levels, np.random.default_rng(SEED))
    said = []
    for what in ("time", "location"):
        score = group.mean(f"cs_{what}")
        if score is not None:
            said.append(_calibrated(group, what, score, critical, levels))
    return (
        f"Calibration: chance alone gives a perfect forecaster a CS of {100 * floor:.2f} %, in "
        f"95 % of cases below {100 * critical:.2f} %; {'; '.join(said)}."
    )


def _calibrated(
    group: Group, what: str, score: float, critical: float, levels: Sequence[float]
) -> str:
    text = f"in {what} it has {100 * score:.2f} %"
    if score <= critical:
        return f"{text}, which cannot be told from perfect"
    covered = [group.mean(f"coverage_{what}_{100 * level:.10g}") for level in levels]
    excess = float(np.mean([c - q for c, q in zip(covered, levels, strict=True) if c is not None]))
    side = "hold the truth too often" if excess > 0 else "hold the truth too rarely"
    kind = "intervals" if what == "time" else "regions"
    if abs(excess) < score / 2:
        side = "miss their levels on both sides"
    return f"{text}, {score / critical:.1f} times that bound: not calibrated, its {kind} {side}"


def levels_of(group: Group) -> tuple[float, ...]:
    """Returns the levels that a group's CS is the mean over."""
    try:
        return tuple(float(q) for q in json.loads(group.first.params["scores.levels"])) or LEVELS
    except (KeyError, ValueError, TypeError):
        return LEVELS


def _listed(parts: Sequence[str]) -> str:
    """Returns "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
