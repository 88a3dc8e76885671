"""Settings that were changed and play no part in a run: harmless, and said on the terminal.

`docs/settings.md` holds the table of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from smash.workbench.specs.contradictions import own_files, value_of
from smash.workbench.specs.schema import given

if TYPE_CHECKING:
    from smash.workbench.specs.experiment_spec import ExperimentSpec as Spec


@dataclass(frozen=True)
class Part:
    """`settings` play a part only where `plays` says, in words `where`."""

    settings: tuple[str, ...]
    where: str
    plays: Callable[["Spec"], bool]


def idle_settings(
    spec: "Spec", marked: bool | None = None, placed: bool | None = None
) -> list[str]:
    """Returns a line for each setting that was changed from its default and plays no part.

    `marked` and `placed` say whether the data have marks and places, where that is known.
    """
    default = type(spec)()
    data = spec.data
    data = data if marked is None else replace(data, marked=marked)
    data = data if placed is None else replace(data, places=placed)
    spec = spec.model_copy(update={"data": data})
    return [
        f"{setting}: {_written(value)} plays no part here; it does {part.where.replace('`', '')}"
        for part in PARTS
        if not part.plays(spec)
        for setting in part.settings
        if (value := value_of(spec, setting)) != value_of(default, setting)
    ]


def table() -> str:
    """Returns the parts as a Markdown table."""
    rows = [f"| {', '.join(f'`{s}`' for s in part.settings)} | {part.where} |" for part in PARTS]
    return "\n".join(["| setting | plays a part |", "|---|---|", *rows]) + "\n"


def _written(value: Any) -> str:
    """Returns a value as it is written in a spec; a section's are told by its name alone."""
    if hasattr(value, "__dataclass_fields__"):
        return "what is set there"
    return given(list(value) if isinstance(value, tuple) else value)


def _likelihood(spec: "Spec") -> bool:
    return spec.objective.kind == "likelihood"


def _clean_times(spec: "Spec") -> bool:
    return spec.objective.clean_times


def _langevin(spec: "Spec") -> bool:
    return spec.sampling.sampler == "langevin"


def _density(spec: "Spec") -> bool:
    return spec.model.location_law != "score"


def _placed(spec: "Spec") -> bool:
    return spec.data.places is not False


def _simulates(spec: "Spec") -> bool:
    return spec.data.name.lower() == "simulated" and not own_files(spec.data)


def _location_steps(spec: "Spec") -> bool:
    if not _placed(spec):
        return False
    if _langevin(spec):
        return spec.sampling.denoise == "tweedie" and spec.data.marked is not False
    return not _density(spec)


def _grid_points(spec: "Spec") -> bool:
    return spec.sampling.time_table if _langevin(spec) else not _clean_times(spec)


PARTS = (
    Part(("data.simulator",), "with `data.name=simulated`", _simulates),
    Part(("data.columns",), "with files of your own", lambda s: own_files(s.data)),
    Part(
        (
            *("data.location_unit", "data.projection", "data.longitude_cut", "data.region"),
            *("scaling.location_resolution", "model.location_law", "objective.loss_lambda2"),
        ),
        "with events that have places",
        _placed,
    ),
    Part(
        ("data.mark_names", "data.mark_edges", "data.time_origin"),
        "with files of your own",
        lambda s: own_files(s.data),
    ),
    Part(
        ("scaling.floor",),
        "with `scaling.log_normalization=true`, where `scaling.resolution` finds no cells",
        lambda s: s.scaling.log_normalization and isinstance(s.scaling.resolution, str),
    ),
    Part(
        ("model.location_components", "model.recent_events"),
        "with `model.location_law=mixture` or `history`",
        lambda s: _placed(s) and _density(s),
    ),
    Part(
        ("model.place_scales",),
        "with `model.location_law=history`",
        lambda s: _placed(s) and s.model.location_law == "history",
    ),
    Part(
        ("model.sigma_loc", "model.noise_levels"),
        "with `model.location_law=score`",
        lambda s: _placed(s) and not _density(s),
    ),
    Part(
        ("model.mark_in_location",),
        "with marked data that have places",
        lambda s: _placed(s) and s.data.marked is not False,
    ),
    Part(
        ("model.sigma_time",),
        "with `objective.kind=score_matching`",
        lambda s: not _clean_times(s),
    ),
    Part(
        ("objective.loss_lambda", "objective.smooth"),
        "with `objective.kind=score_matching` or `weighted_score_matching`",
        lambda s: not _likelihood(s),
    ),
    Part(
        ("objective.law_points",),
        "unless `objective.kind=score_matching` or `model.time_law=mixture`",
        lambda s: _clean_times(s) and s.model.time_law == "grid",
    ),
    Part(
        ("training.piece_history",),
        "with `training.piece_events`",
        lambda s: s.training.piece_events > 0,
    ),
    Part(
        ("training.sample_every",),
        "up to `training.total_epochs`",
        lambda s: s.training.sample_every <= s.training.total_epochs,
    ),
    Part(
        ("training.warmup_epochs",),
        "in full up to `training.total_epochs`",
        lambda s: s.training.warmup_epochs <= s.training.total_epochs,
    ),
    Part(
        (
            "sampling.langevin_step",
            "sampling.sampling_steps",
            "sampling.per_step",
            "sampling.n_samples",
            "sampling.time_table",
        ),
        "with `sampling.sampler=langevin`",
        _langevin,
    ),
    Part(
        ("sampling.cuda_graph",),
        "with `sampling.sampler=langevin` on a GPU",
        lambda s: _langevin(s) and s.device != "cpu",
    ),
    Part(
        ("training.graphed",),
        "with `objective.kind=score_matching` on a GPU",
        lambda s: not _likelihood(s) and s.device != "cpu",
    ),
    Part(("sampling.fused",), "on a GPU", lambda s: s.device != "cpu"),
    Part(
        ("sampling.support",),
        "with `sampling.sampler=inverse_cdf`, unless time and place have densities",
        lambda s: not _langevin(s) and not _density(s),
    ),
    Part(
        ("sampling.grid_points",),
        "with `inverse_cdf` after score matching, or with `sampling.time_table`",
        _grid_points,
    ),
    Part(
        ("sampling.location_steps",),
        "with `inverse_cdf` and `model.location_law=score`, or marked `langevin` and `tweedie`",
        _location_steps,
    ),
    Part(("sampling.denoise",), "unless time and place have densities", lambda s: not _density(s)),
    Part(
        ("scores.validation_sequences",),
        "with `scores.validation_samples`",
        lambda s: s.scores.validation_samples > 0,
    ),
    Part(
        ("scores.recalibration_samples",),
        "with `protocol: strict`",
        lambda s: s.protocol == "strict",
    ),
    Part(
        ("scores.futures_paths",),
        "with `scores.futures_horizon`",
        lambda s: s.scores.futures_horizon > 0,
    ),
    Part(("pool_weights",), "with `pool`", lambda s: bool(s.pool)),
    Part(("seed",), "without `seeds`", lambda s: not s.seeds),
    Part(("deterministic",), "on a GPU", lambda s: s.device != "cpu"),
)
