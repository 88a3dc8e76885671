"""Cards of kept models: data, training, scores with intervals, limits, licence, from their records.

A card is the README of a folder below `experiments/pretrained/`. Figures and their intervals are
those of the run that the model is from, where `experiments/results/` has it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smash.catalogue.downloads import BASE_URL, PUBLISHED
from smash.manifest import CARD
from smash.workbench.pages.records import Recorded
from smash.workbench.report.display_tables import Column, Raw, Row, Table, Value, to_markdown
from smash.workbench.report.forecaster_names import model_name
from smash.workbench.report.labels import SKILLS, Units, column
from smash.workbench.report.logged_comparison import Comparison
from smash.workbench.report.logged_run import Run
from smash.workbench.report.model_card import changed_settings, limits, split_sizes
from smash.workbench.runs.kept_models import PRETRAINED, SCORES
from smash.workbench.specs.experiment_spec import ExperimentSpec, flatten, load_spec

SHOWN = (
    *("crps_time", "energy_location", "mark_log_loss", "event_log_loss"),
    *("cs_time", "cs_location", "ece", "accuracy", "mae_time_median", "mae_location_median"),
)
"""Figures of a card, in their order; those that a model has not are left out."""


@dataclass(frozen=True)
class Kept:
    """What is known of a kept model: its folder, description, spec, scores, run, comparison."""

    folder: Path
    model: dict[str, Any]
    spec: ExperimentSpec
    scores: dict[str, float]
    run_id: str
    run: Run | None
    comparison: Comparison | None

    @property
    def about(self) -> dict[str, Any]:
        about: dict[str, Any] = self.model["about"]
        return about


def cards(root: Path, recorded: Recorded) -> dict[str, str]:
    """Returns the card of every kept model, by its path below the repository's `root`."""
    folders = sorted(path.parent for path in (root / PRETRAINED).glob(f"*/{SCORES}"))
    return {
        str(PRETRAINED / folder.name / CARD): card(read(folder, recorded)) for folder in folders
    }


def read(folder: Path, recorded: Recorded) -> Kept:
    """Returns what a kept model's folder and the records say of it."""
    kept = json.loads((folder / SCORES).read_text(encoding="utf-8"))
    run_id = kept["run_id"]
    return Kept(
        folder,
        json.loads((folder / "model.json").read_text(encoding="utf-8")),
        load_spec(folder / "spec.yaml"),
        {name.removeprefix("test/"): value for name, value in kept["scores"].items()},
        run_id,
        next((run for run in recorded.runs if run.run_id == run_id), None),
        recorded.comparisons.get(run_id),
    )


def card(kept: Kept) -> str:
    """Returns a model's card as Markdown."""
    name, settings = kept.folder.name, flatten(kept.spec)
    alone = {key: value for key, value in settings.items() if key not in ("ensemble", "pool")}
    parts = [
        f"# The kept model `{name}`",
        f"{model_name(alone)}: forecasts time, place and mark of the next event of "
        f"{kept.about['dataset']}, or of futures, after a history in the same units.",
        f"```sh\nsmash forecast pretrained:{name} history.csv\n```",
        "## Data",
        "\n".join(_data(kept)),
        "## Training",
        "\n".join(_training(kept, settings)),
        "## Scores on the test data",
        to_markdown(scores_table(kept)).strip(),
        "What the figures mean: `docs/scores.md`.",
        "## Limits",
        "\n".join(f"- {limit}" for limit in _limits(kept)),
        "## Licence",
        "The weights: Apache-2.0, as the code. The data are not part of it; their terms are those "
        "of where they come from.",
        "Made by `make pages` from the files beside it and `experiments/results/`.",
    ]
    return "\n\n".join(parts) + "\n"


def _data(kept: Kept) -> Iterator[str]:
    about, tags = kept.about, kept.run.tags if kept.run else {}
    published = PUBLISHED.get(about["dataset"])
    where = f", from {BASE_URL}{published.folder}" if published else ""
    yield f"- `{about['dataset']}`{where}; SHA-256 `{about['digest'][:16]}…`"
    yield from (f"- {sizes}" for sizes in split_sizes(tags))
    yield f"- times in {about['time_unit']}, places in {about['location_unit']}"
    names = about["mark_names"]
    yield f"- {len(names)} marks: {', '.join(map(str, names))}" if names else "- no marks"


def _training(kept: Kept, settings: dict[str, str]) -> Iterator[str]:
    changed = [f"`{setting}`" for setting in changed_settings(settings)]
    yield f"- protocol {kept.spec.protocol}; settings other than the defaults: {', '.join(changed)}"
    yield f"- run `{kept.run_id[:8]}`; all settings are in `spec.yaml`"
    if kept.run:
        tags = kept.run.tags
        yield f"- code of commit `{tags.get('env/commit', '')[:12]}`, on {tags.get('env/device')}"


def scores_table(kept: Kept) -> Table:
    """Returns figures and skills of a model with their 95 % intervals."""
    units = Units(kept.about["time_unit"], kept.about["location_unit"])
    rows = []
    for figure in SHOWN:
        value, shown = kept.scores.get(figure), column(figure, units)
        if value is not None and abs(value) < 1e300:  # infinity, as MLflow gives it back
            cells: dict[str, Raw] = {"figure": shown.heading, "value": shown.factor * value}
            rows.append(Row(cells | {"interval": _interval(kept, figure, shown.factor)}))
    for part in SKILLS:
        value = kept.scores.get(f"skill_{part}")
        if value is not None:
            cells = {"figure": f"skill in {part} (%)", "value": 100 * value}
            rows.append(Row(cells | {"interval": _interval(kept, part, 100, skill=True)}))
    n_events = f"{kept.scores['n_events']:.0f} events"
    note = (
        "Interval: 95 %, by bootstrap over groups of test sequences that share no event. Skill: "
        "1 − score / climatology's."
        if kept.comparison
        else "The run is not among the records, so that no intervals are known."
    )
    columns = [Column("figure", "figure"), Column("value", "value"), Column("interval", "95 %")]
    return Table("card", f"Raw figures of {n_events}.", columns, _rounded(rows), [note])


def _interval(kept: Kept, name: str, factor: float, skill: bool = False) -> Value | None:
    if kept.comparison is None:
        return None
    found = (kept.comparison.skill if skill else kept.comparison.figures).get(name)
    if found is None or found.low is None or found.high is None:
        return None
    return Value(factor * found.value, low=factor * found.low, high=factor * found.high)


def _rounded(rows: list[Row]) -> list[Row]:
    """Returns the rows as text, each number with four digits: rows have units of their own."""
    return [
        Row(
            {
                "figure": row.values["figure"],
                "value": _text(row.values["value"]),
                "interval": _text(row.values["interval"]),
            }
        )
        for row in rows
    ]


def _text(value: Any) -> str | None:
    if isinstance(value, Value):
        return f"{_text(value.low)} to {_text(value.high)}"
    return None if value is None else f"{value:.4g}".replace("-", "−")


def _limits(kept: Kept) -> Iterator[str]:
    return limits(kept.model, kept.scores, kept.comparison.skill if kept.comparison else {})
