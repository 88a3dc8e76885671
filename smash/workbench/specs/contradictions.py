"""What goes with what: settings that contradict each other are refused here and nowhere else.

Each value of a spec is checked by itself in `smash.settings`; this is what values ask of each
other. `docs/settings.md` holds the table of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from smash.baseline_names import unknown
from smash.settings import AUTO, DATASETS, DataSettings, goes_with_process
from smash.workbench.specs.schema import given

if TYPE_CHECKING:
    from smash.workbench.specs.experiment_spec import ExperimentSpec as Spec

HALF_LIFE = "training.variation.recency.half_life"
SHORTEST_HALF_LIFE = 1e-3
"""Of an epoch's sequences; with a shorter one the weights of the others are no numbers."""
MOST_SIMULATED = 5_000_000
"""Events of simulated data: each is drawn given all before it, a few thousand a second."""


@dataclass(frozen=True)
class Rule:
    """`setting` asks something of others, in the words of the table; `broken` yields messages."""

    setting: str
    asks: str
    broken: Callable[["Spec"], Iterator[str]]


def contradictions(spec: "Spec") -> list[str]:
    """Returns what cannot be at once, though each value is fine by itself: a line for each."""
    return [line for rule in RULES for line in rule.broken(spec)]


def table() -> str:
    """Returns the rules as a Markdown table."""
    rows = [f"| `{rule.setting}` | {rule.asks} |" for rule in RULES]
    return "\n".join(["| setting | asks for |", "|---|---|", *rows]) + "\n"


def value_of(spec: "Spec", setting: str) -> Any:
    """Returns the value of a dotted setting."""
    value: Any = spec
    for name in setting.split("."):
        value = getattr(value, name)
    return value


def _files(spec: "Spec") -> Iterator[str]:
    data, splits = spec.data, ("train", "validation", "test")
    named = [f"data.{name}" for name in splits if getattr(data, name) is not None]
    missing = [f"data.{name}" for name in splits if getattr(data, name) is None]
    if named and data.path is not None:
        yield f"data.path: given together with {', '.join(named)}; give one file or three"
    elif named and missing:
        yield f"{', '.join(missing)}: missing beside {', '.join(named)}; give all three splits"
    elif not own_files(data) and data.name.lower() not in DATASETS:
        yield (
            f"data.name: expected one of {', '.join(DATASETS)}, given {data.name!r}; "
            "name one of these, or give data.path, or data.train, data.validation and data.test"
        )


def _columns(spec: "Spec") -> Iterator[str]:
    columns = vars(spec.data.columns)
    named: dict[str, str] = {}
    for role, column in columns.items():
        if column is not None and column in named:
            yield (
                f"data.columns.{role}: {given(column)} is data.columns.{named[column]} too; name "
                "a column for each"
            )
        named.setdefault(column, role)


def _marks(spec: "Spec") -> Iterator[str]:
    names, edges = spec.data.mark_names, spec.data.mark_edges
    if len(set(names)) < len(names):
        yield f"data.mark_names: expected each name once, given {given(list(names))}"
    if any(low >= high for low, high in pairwise(edges)):
        yield f"data.mark_edges: expected growing values, given {given(list(edges))}"
    if names and edges and len(names) != len(edges) + 1:
        yield (
            f"data.mark_names: expected {len(edges) + 1}, one more than data.mark_edges, given "
            f"{len(names)}"
        )


def _simulated(spec: "Spec") -> Iterator[str]:
    simulator = spec.data.simulator
    shortest, longest = simulator.events
    if not 2 <= shortest <= longest:
        yield (
            "data.simulator.events: expected the fewest events a sequence (2 or more), then the "
            f"most, given [{shortest}, {longest}]"
        )
    if sum(simulator.sequences) * longest > MOST_SIMULATED:
        yield (
            f"data.simulator.sequences: {sum(simulator.sequences)} sequences of up to {longest} "
            f"events are more than {MOST_SIMULATED} events; each is drawn given all before it, so "
            "take fewer"
        )


def _periods(spec: "Spec") -> Iterator[str]:
    periods = spec.model.periods
    if periods and spec.model.time_encoding != "relative":
        yield "model.periods: seen under model.time_encoding=relative alone; set both"
    if len(set(periods)) < len(periods):
        yield f"model.periods: expected each period once, given {given(list(periods))}"


def _recent_rates(spec: "Spec") -> Iterator[str]:
    if spec.model.recent_rates and spec.model.time_encoding != "relative":
        yield "model.recent_rates: told under model.time_encoding=relative alone; set both"


def _location_law(spec: "Spec") -> Iterator[str]:
    law = spec.model.location_law
    if law != "score" and spec.objective.kind != "likelihood":
        yield (
            f"model.location_law: {law} is a density and trained by its likelihood; set "
            "objective.kind=likelihood, or location_law=score"
        )


def _time_law(spec: "Spec") -> Iterator[str]:
    if spec.model.time_law != "mixture":
        return
    if spec.objective.kind != "likelihood":
        yield (
            "model.time_law: mixture is a density and trained by its likelihood; set "
            "objective.kind=likelihood, or time_law=grid"
        )
    elif not spec.scaling.log_normalization:
        yield (
            "model.time_law: mixture is a law of the gap's logarithm, which "
            "scaling.log_normalization=false leaves as it is; set it to true, or time_law=grid"
        )


def _base(spec: "Spec") -> Iterator[str]:
    likelihood = spec.objective.kind == "likelihood"
    if spec.model.base == "self_exciting" and not goes_with_process(spec.model, likelihood):
        yield (
            "model.base: self_exciting is a law of clean times and of places beside past events; "
            "set objective.kind=likelihood, model.time_law=grid and model.location_law=history, or "
            "model.base=climatology"
        )


def _sampler(spec: "Spec") -> Iterator[str]:
    if spec.sampling.sampler == "langevin" and spec.objective.clean_times:
        yield (
            "sampling.sampler: langevin follows the score of times with noise, and "
            f"objective.kind={spec.objective.kind} trains a law of times without; set "
            "sampling.sampler=inverse_cdf, or objective.kind=score_matching"
        )


def _weighted(spec: "Spec") -> Iterator[str]:
    if spec.objective.kind == "weighted_score_matching" and spec.model.base != "none":
        yield (
            f"objective.kind: weighted_score_matching asks for slopes, which model.base="
            f"{spec.model.base} has none worth matching of; set model.base=none"
        )


def _noise_levels(spec: "Spec") -> Iterator[str]:
    levels = spec.model.noise_levels
    if levels == 1 or spec.model.location_law != "score":
        return
    if not spec.objective.clean_times:
        yield (
            f"model.noise_levels: {levels} are of places beside times without noise; set "
            "objective.kind=weighted_score_matching or likelihood, or noise_levels=1"
        )
    if spec.objective.n_noise < levels:
        yield (
            f"model.noise_levels: expected at most objective.n_noise ({spec.objective.n_noise}), "
            f"given {levels}; set both"
        )


def _no_more_than(setting: str, limit: str) -> Callable[["Spec"], Iterator[str]]:
    def broken(spec: "Spec") -> Iterator[str]:
        value, most = value_of(spec, setting), value_of(spec, limit)
        if value != AUTO and value > most:
            yield f"{setting}: expected at most {limit} ({most}), given {value}; set both"

    return broken


def _half_life(spec: "Spec") -> Iterator[str]:
    recency = spec.training.variation.recency
    half_life = recency.half_life if recency else 0
    if 0 < half_life < SHORTEST_HALF_LIFE:
        yield (
            f"{HALF_LIFE}: expected 0 (off), or {SHORTEST_HALF_LIFE:g} of the sequences or "
            f"more, given {half_life:g}; shorter ones leave all but the last with weight 0"
        )


def _levels(spec: "Spec") -> Iterator[str]:
    levels = list(spec.scores.levels)
    if levels != sorted(set(levels)):
        yield f"scores.levels: expected growing levels, given {given(levels)}"


def _two_or_none(setting: str) -> Callable[["Spec"], Iterator[str]]:
    def broken(spec: "Spec") -> Iterator[str]:
        if value_of(spec, setting) == 1:
            yield f"{setting}: expected 0 (off), or 2 or more to make a score of, given 1"

    return broken


def _baselines(spec: "Spec") -> Iterator[str]:
    if len(set(spec.baselines)) < len(spec.baselines):
        yield f"baselines: expected each baseline once, given {given(list(spec.baselines))}"
    yield from (f"baselines: {wrong}" for name in spec.baselines if (wrong := unknown(name)))
    if "oracle" not in spec.baselines:
        return
    own_file = spec.data.path or spec.data.train
    if own_file or spec.data.name.lower() != "simulated":
        yield f"baselines: the oracle knows simulated data alone, not {own_file or spec.data.name}"
    if spec.data.marked is False:
        yield (
            "baselines: the oracle needs the marks that data.marked=false leaves out; "
            "set baselines=[]"
        )


def _seeds(spec: "Spec") -> Iterator[str]:
    if len(set(spec.seeds)) < len(spec.seeds):
        yield f"seeds: expected each seed once, given {given(list(spec.seeds))}"


def _ensemble(spec: "Spec") -> Iterator[str]:
    if not spec.ensemble:
        return
    if len(spec.seeds) < 2:
        yield "ensemble: expected seeds, two or more, whose models are mixed; set both"
    yield from _too_few_draws(spec, len(spec.seeds), "models")


def _pool(spec: "Spec") -> Iterator[str]:
    if not spec.pool:
        return
    if len(set(spec.pool)) < max(len(spec.pool), 2):
        yield f"pool: expected two forecasters or more, each once, given {given(list(spec.pool))}"
    if missing := [name for name in spec.pool if name not in ("model", *spec.baselines)]:
        yield (
            f"pool: {', '.join(missing)} not among baselines, which are fitted and tested first; "
            "add it there, or take it out of the pool (pool=[]: none)"
        )
    yield from _too_few_draws(spec, len(spec.pool), "forecasters of the pool")


def _too_few_draws(spec: "Spec", members: int, what: str) -> Iterator[str]:
    for setting in ("sampling.total_samples", "scores.recalibration_samples"):
        samples = value_of(spec, setting)
        if 0 < samples < members:
            yield (
                f"{setting}: {samples} is too few for {members} {what}, each of which gives its "
                "share; ask for more"
            )


def own_files(data: DataSettings) -> bool:
    """Returns True where the data are files of the user's."""
    return any((data.path, data.train, data.validation, data.test))


RULES = (
    Rule("data.path", "no `data.train`, `data.validation`, `data.test`, or these three", _files),
    Rule("data.columns", "a column for each part of an event", _columns),
    Rule("data.mark_edges", "growing values, and one more of `data.mark_names`", _marks),
    Rule("data.simulator.events", "the fewest, then the most; not too many in all", _simulated),
    Rule("model.periods", "`model.time_encoding=relative`", _periods),
    Rule("model.recent_rates", "`model.time_encoding=relative`", _recent_rates),
    Rule("model.location_law=mixture", "`objective.kind=likelihood`", _location_law),
    Rule(
        "model.time_law=mixture",
        "`objective.kind=likelihood` and `scaling.log_normalization=true`",
        _time_law,
    ),
    Rule(
        "model.base=self_exciting",
        "`objective.kind=likelihood`, `model.time_law=grid` and `model.location_law=history`",
        _base,
    ),
    Rule("objective.kind=weighted_score_matching", "`model.base=none`", _weighted),
    Rule(
        "model.noise_levels",
        "with 2 or more `objective.kind=weighted_score_matching` or `likelihood`, and as many of "
        "`objective.n_noise`",
        _noise_levels,
    ),
    Rule("sampling.sampler=langevin", "`objective.kind=score_matching`", _sampler),
    Rule(
        "sampling.n_samples",
        "at most `sampling.total_samples`",
        _no_more_than("sampling.n_samples", "sampling.total_samples"),
    ),
    Rule(
        "sampling.per_step",
        "at most `sampling.sampling_steps`",
        _no_more_than("sampling.per_step", "sampling.sampling_steps"),
    ),
    Rule(
        "training.final_learning_rate",
        "at most `training.learning_rate`",
        _no_more_than("training.final_learning_rate", "training.learning_rate"),
    ),
    Rule(
        "training.eval_every",
        "at most `training.patience`, which counts epochs since the best one that was validated",
        _no_more_than("training.eval_every", "training.patience"),
    ),
    Rule(HALF_LIFE, f"0, or {SHORTEST_HALF_LIFE:g} or more", _half_life),
    Rule("scores.levels", "growing levels", _levels),
    Rule("scores.validation_samples", "0, or 2", _two_or_none("scores.validation_samples")),
    Rule("scores.recalibration_samples", "0, or 2", _two_or_none("scores.recalibration_samples")),
    Rule("baselines", "known, each once; `oracle`: simulated data with their marks", _baselines),
    Rule("pool", "two or more, each once, of `model` and `baselines`, and as many draws", _pool),
    Rule("seeds", "each once", _seeds),
    Rule("ensemble", "two `seeds` or more, and as many draws", _ensemble),
)
