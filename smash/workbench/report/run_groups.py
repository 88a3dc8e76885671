"""Runs put in order: by data set, then by forecaster, the seeds of one setting together."""

import re
import string
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import numpy as np

from smash.baseline_names import BASELINES
from smash.workbench.report.display_tables import Value, slug
from smash.workbench.report.forecaster_names import NAMED_BY, NO_PLACES, model_name
from smash.workbench.report.labels import SKILLS, Units
from smash.workbench.report.logged_run import Run
from smash.workbench.specs.experiment_spec import ExperimentSpec, flatten

NOT_SETTINGS = {
    "seed",
    "seeds",
    "ensemble",
    "device",
    "threads",
    "deterministic",
    "description",
    "baselines",
    "pool",
    "pool_weights",
    "training.block_sequences",
    "training.block_events",
    "training.graphed",
    "sampling.n_samples",
    "sampling.block_events",
    "sampling.test_batch_size",
    "sampling.fused",
}
"""Keys of a spec in which runs of one setting may differ: who ran, and in what portions."""
MLFLOW_INFINITY = sys.float_info.max
"""What MLflow keeps in place of an infinite metric."""
LABELLED = 2
"""Settings that differ in more keys than these are lettered rather than spelt out."""


@dataclass(frozen=True, eq=False)
class Group:
    """A forecaster on a data set: the runs of one setting, a seed each.

    `settings` are those in which it differs from the other models; `baseline` is None for a model.
    """

    runs: tuple[Run, ...]
    baseline: str | None
    label: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def first(self) -> Run:
        return self.runs[0]

    @property
    def contest(self) -> str:
        """Scores are compared within it: the same number of events of the same data."""
        return f"{self.first.figures.get('n_events', 0):.0f}"

    @property
    def quick(self) -> bool:
        return any(run.quick for run in self.runs)

    def value(self, figure: str) -> Value | None:
        """Returns mean and standard deviation over seeds of a test figure."""
        found = [run.figures[figure] for run in self.runs if figure in run.figures]
        if not found:
            return None
        return _value(found)

    def values(self, prefix: str) -> dict[str, Value]:
        """Returns mean and standard deviation over seeds of the metrics below a prefix, by rest."""
        found: dict[str, list[float]] = {}
        for run in self.runs:
            for name, value in run.metrics.items():
                if name.startswith(prefix):
                    found.setdefault(name.removeprefix(prefix), []).append(value)
        return {name: _value(values) for name, values in found.items()}

    def mean(self, figure: str) -> float | None:
        value = self.value(figure)
        return None if value is None else value.mean


@dataclass(frozen=True)
class DataSet:
    """All that was scored on one data set; models with the best first, baselines in fixed order.

    `tested` are all its runs with scores, `others` those without. `key` starts the names of its
    tables and figures, and is no other data set's of the report.
    """

    name: str
    digest: str
    models: tuple[Group, ...]
    baselines: tuple[Group, ...]
    tested: tuple[Run, ...] = ()
    others: tuple[Run, ...] = ()
    key: str = ""

    @property
    def repeated(self) -> int:
        """Models' runs left out, as a later one has their setting and seed."""
        tested = {run.run_id for run in self.tested if run.baseline is None}
        return len(tested) - sum(len(group.runs) for group in self.models)

    @property
    def groups(self) -> tuple[Group, ...]:
        return (*self.models, *self.baselines)

    @property
    def runs(self) -> list[Run]:
        return [*(run for group in self.groups for run in group.runs), *self.others]

    @cached_property
    def differing(self) -> list[str]:
        """The keys in which the models differ."""
        return sorted({key for group in self.models for key in group.settings})

    @property
    def tagged_units(self) -> Units | None:
        """The units that its runs were tagged with, None for runs of before they were."""
        tags = {k: v for run in self.runs for k, v in run.tags.items() if k.startswith("data/")}
        if "data/time_unit" not in tags:
            return None
        if not any(run.placed for run in self.runs):
            return Units(tags["data/time_unit"], "", ())
        names = (tags.get("data/location_name_x", "x"), tags.get("data/location_name_y", "y"))
        return Units(tags["data/time_unit"], tags.get("data/location_unit", "units"), names)

    def rival(self, name: str, group: Group) -> Group | None:
        """Returns the baseline `name` scored on the same events, of the same protocol if any is."""
        same = [b for b in self.baselines if b.baseline == name and b.contest == group.contest]
        return min(same, key=lambda b: b.first.protocol != group.first.protocol, default=None)

    def under(self, protocol: str) -> "DataSet":
        """Returns the forecasters that were tested under a protocol."""
        models, baselines = (
            tuple(group for group in groups if group.first.protocol == protocol)
            for groups in (self.models, self.baselines)
        )
        return replace(self, models=models, baselines=baselines)

    def skill(self, group: Group, score: str) -> float | None:
        """Returns 1 - score / climatology's, None where either is missing."""
        climatology = self.rival("climatology", group)
        own, theirs = group.mean(score), climatology and climatology.mean(score)
        return None if own is None or not theirs else 1 - own / theirs


def _value(found: Sequence[float]) -> Value:
    if max(found) >= MLFLOW_INFINITY:
        return Value(float("inf"))
    return Value(float(np.mean(found)), float(np.std(found, ddof=1)) if found[1:] else None)


def by_setting(runs: Iterable[Run]) -> list[Group]:
    """Returns the models of runs, the seeds of one setting together."""
    found: dict[tuple, list[Run]] = {}
    for run in runs:
        found.setdefault(tuple(sorted(settings_of(run).items())), []).append(run)
    return [Group(_one_a_seed(same), None) for same in found.values()]


def latest(groups: Iterable[Group], experiment: str) -> Group | None:
    """Returns an experiment's model: of several settings the last run, as no score may choose.

    Ensembles, pools and quick runs are left out.
    """
    own = [group for group in groups if group.first.experiment == experiment and not group.quick]
    single = [group for group in own if not {"ensemble", "pool"} & group.first.tags.keys()]
    return max(single, key=lambda group: max(run.started for run in group.runs), default=None)


def reproduced(data: DataSet) -> Group | None:
    """Returns the model of the published settings, `football-published` and the like."""
    return latest(data.under("original").models, f"{data.name}-published")


def arrange(runs: Iterable[Run]) -> list[DataSet]:
    """Returns the data sets that runs are of."""
    by_data: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        by_data.setdefault((run.dataset, run.digest), []).append(run)
    datasets = [_dataset(*key, found) for key, found in by_data.items()]
    keys = [slug(data.name) for data in datasets]
    return [
        replace(data, key=key if keys.count(key) == 1 else f"{key}-{data.digest[:8]}-{i}")
        for i, (data, key) in enumerate(zip(datasets, keys, strict=True), start=1)
    ]


def _dataset(name: str, digest: str, runs: Sequence[Run]) -> DataSet:
    baselines: dict[tuple, list[Run]] = {}
    for run in runs:
        if run.tested and run.baseline:
            baselines.setdefault(_baseline_key(run), []).append(run)
    dataset = DataSet(
        name,
        digest,
        _labelled(by_setting(run for run in runs if run.tested and not run.baseline)),
        tuple(
            Group(_one_a_seed(found), key[0], key[0])
            for key, found in sorted(baselines.items(), key=lambda item: _order(item[0]))
        ),
        tuple(run for run in runs if run.tested),
        tuple(run for run in runs if not run.tested),
    )
    return replace(dataset, models=_best_first(dataset))


@cache
def _defaults() -> dict[str, str]:
    return flatten(ExperimentSpec())


def settings_of(run: Run) -> dict[str, str]:
    """Returns the keys in which runs of one model agree.

    A key that the run does not have came after it, and its default is what was done before.
    """
    settings = {k: v for k, v in {**_defaults(), **run.params}.items() if k not in NOT_SETTINGS}
    settings["profile"] = run.tags.get("profile", "full")
    if not run.placed:
        settings["model.location_law"] = NO_PLACES
    if "ensemble" in run.tags:
        settings["ensemble"] = f"{len(run.tags['ensemble'].split(','))} seeds"
    if "pool" in run.tags:
        settings["pool"] = run.tags["pool"]
        settings["pool_weights"] = run.params.get("pool_weights", "stacking")
    return settings


def different_keys(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Returns the keys in which two specs are of different settings; scores are none."""
    keys = sorted({*one, *other} - NOT_SETTINGS)
    return [k for k in keys if one.get(k) != other.get(k) and not k.startswith("scores.")]


def _baseline_key(run: Run) -> tuple:
    """Returns name, protocol, events and samples: a baseline does not know the model's settings."""
    figures = run.figures
    return run.baseline, run.protocol, figures["n_events"], figures.get("n_samples")


def _order(key: tuple) -> tuple:
    place = BASELINES.index(key[0]) if key[0] in BASELINES else len(BASELINES)
    return place, *(str(part) for part in key)


def _one_a_seed(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Returns the last run of each seed: the same again would pass for less variation."""
    last = {run.params.get("seed", "0"): run for run in sorted(runs, key=lambda run: run.started)}
    return tuple(last[seed] for seed in sorted(last, key=lambda seed: (len(seed), seed)))


def _labelled(groups: list[Group]) -> tuple[Group, ...]:
    """Returns the groups with labels that tell them apart, and the settings that differ."""
    settings = [settings_of(group.first) for group in groups]
    names = [model_name(one) for one in settings]
    if len(groups) < 2:
        return tuple(replace(g, label=n, settings={}) for g, n in zip(groups, names, strict=True))
    known = set().union(*settings)
    keys = {key for key in known if len({one.get(key) for one in settings}) > 1}
    unsaid = sorted(keys - NAMED_BY)
    named = []
    for i, (group, one) in enumerate(zip(groups, settings, strict=True)):
        own = {key: one.get(key, "–") for key in sorted(keys)}
        words = [f"{key.rpartition('.')[2]}={_short(one[key])}" for key in unsaid if key in one]
        label = ", ".join(words) if len(unsaid) <= LABELLED else _letters(i)
        label = f"{names[i]} ({label})" if label else names[i]
        named.append(replace(group, label=label, settings=own))
    return tuple(named)


def _short(value: str) -> str:
    """Returns a number without the tail that binary fractions have, other text as it is."""
    return f"{float(value):.6g}" if re.fullmatch(r"-?\d+\.\d+(e-?\d+)?", value) else value


def _letters(number: int) -> str:
    """Returns A … Z, AA, AB and so on."""
    first, rest = divmod(number, 26)
    return (_letters(first - 1) if first else "") + string.ascii_uppercase[rest]


def _best_first(dataset: DataSet) -> tuple[Group, ...]:
    """Returns the models by mean skill; without climatology by CRPS of time."""

    def goodness(group: Group) -> tuple[float, float]:
        skills = [dataset.skill(group, score) for score in SKILLS.values()]
        known = [skill for skill in skills if skill is not None]
        crps = group.mean("crps_time")
        return (
            -float(np.mean(known)) if known else 0.0,
            float("inf") if crps is None or np.isnan(crps) else crps,
        )

    return tuple(sorted(dataset.models, key=goodness))
