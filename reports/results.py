"""docs/results.md: recorded results as tables, none of whose figures is typed.

python -m reports.results record crime crime-published    # experiments of the MLflow store
python -m reports.results write
"""

import csv
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from reports.comparison import Comparison
from reports.groups import DataSet, Group, arrange
from reports.tables import Column, Row, Table, Value, to_markdown
from reports.words import FIGURES, SKILLS, Units, unit_of

RECORDS, PAGE = Path("experiments/results"), Path("docs/results.md")
HEAD = """# Results

Made by `python -m reports.results write` from the records in `experiments/results/`, each of which
names run, spec digest, data digest, commit and protocol of every figure; not edited by hand.

Under `protocol: strict` no choice is made on test data. Figures under the published estimators,
which are biased, stand in tables of their own.
"""
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command("record")
def record_command(
    experiments: Annotated[list[str], typer.Argument(metavar="EXPERIMENT…")],
    into: Annotated[Path, typer.Option(metavar="DIR")] = RECORDS,
) -> None:
    """Keep the tested runs of experiments in MLflow as JSON files."""
    from reports.recorded import record
    from reports.store import open_store
    from smash.errors import SmashError

    try:
        with open_store() as store:
            selection = store.select(experiments, ())
            paths = record(store, selection, into)
    except SmashError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    for note in selection.notes:
        typer.echo(f"note: {note}", err=True)
    for path in paths:
        typer.echo(path)


@app.command("write")
def write_command(
    records: Annotated[Path, typer.Option(metavar="DIR")] = RECORDS,
    out: Annotated[Path, typer.Option(metavar="FILE")] = PAGE,
) -> None:
    """Write the page of results from the recorded runs."""
    from smash.errors import SmashError
    from smash.files import replacing

    try:
        text = page(records)
    except SmashError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    with replacing(out) as beside:
        beside.write_text(text, encoding="utf-8")
    typer.echo(out)


def page(records: Path) -> str:
    """Returns the page of results, a section a data set, as Markdown."""
    from reports.recorded import read_recorded

    runs, comparisons = read_recorded(records)
    parts = [HEAD]
    for data in sorted(arrange(runs), key=lambda data: data.name):
        parts.append(f"## {data.name}\n")
        parts += [to_markdown(table) for table in tables(by_experiment(data), comparisons)]
    return "\n".join(parts)


def tables(data: DataSet, comparisons: Mapping[str, Comparison]) -> Iterator[Table]:
    """Yields the tables of a data set."""
    from reports import score_tables

    units = data.tagged_units or Units()
    found = [
        goals(data, comparisons),
        score_tables.skills(data, comparisons),
        score_tables.proper_scores(data, units),
        score_tables.calibration(data, units),
        score_tables.recalibrated(data, units),
        score_tables.log_losses(data, units),
        score_tables.point_errors(data, units),
        score_tables.against(data, comparisons, units),
        score_tables.futures(data),
        score_tables.beside_published(data, units),
        sources(data),
    ]
    yield from (table for table in found if table is not None)


def by_experiment(data: DataSet) -> DataSet:
    """Returns the data set with its models called by the names of their experiments."""
    named = (replace(group, label=group.first.experiment) for group in data.models)
    return replace(data, models=tuple(named))


def goals(data: DataSet, comparisons: Mapping[str, Comparison]) -> Table | None:
    """Returns the goals set for a data set and what its experiment of that name reached."""
    with Path(__file__).with_name("goals.csv").open(encoding="utf-8") as lines:
        set_for = [row for row in csv.DictReader(lines) if row["dataset"] == data.name]
    ours = next((g for g in data.models if g.first.experiment == data.name), None)
    if not set_for or ours is None:
        return None
    return Table(
        f"{data.key}-goals",
        f"Goals on {data.name} and what `experiments/{data.name}.yaml` reached: raw figures, mean "
        "over seeds.",
        [
            Column("figure", "figure"),
            Column("goal", "goal"),
            Column("reached", "reached"),
            Column("interval", "95 % interval"),
            Column("met", "met"),
        ],
        [_goal_row(row["figure"], float(row["goal"]), data, ours, comparisons) for row in set_for],
        [
            "Interval: by bootstrap over groups of test sequences that share no event, its ends "
            "averaged over seeds."
        ],
    )


def sources(data: DataSet) -> Table:
    """Returns where each forecaster's runs come from."""
    columns = {
        "forecaster": "forecaster",
        "run": "runs",
        "spec": "spec digest",
        "data": "data digest",
        "commit": "commit",
        "protocol": "protocol",
        "device": "device",
        "minutes": "minutes a run",
        "command": "command",
    }
    rows = []
    for group in data.groups:
        tags = group.first.tags
        seconds = [run.seconds for run in group.runs if run.seconds is not None]
        values = {
            "forecaster": group.label,
            "run": ", ".join(run.run_id[:8] for run in group.runs),
            "spec": tags.get("spec_digest", "")[:8],
            "data": data.digest[:8],
            "commit": tags.get("env/commit", "")[:8],
            "protocol": group.first.protocol,
            "device": f"{tags.get('env/device_name')}, {tags.get('env/threads')} threads",
            "minutes": f"{sum(seconds) / len(seconds) / 60:.1f}" if seconds else None,
            "command": None if group.baseline else tags.get("env/command"),
        }
        rows.append(Row(values))
    return Table(
        f"{data.key}-sources",
        f"Where the figures on {data.name} come from.",
        [Column(key, heading) for key, heading in columns.items()],
        rows,
    )


def _goal_row(
    figure: str,
    goal: float,
    data: DataSet,
    ours: Group,
    comparisons: Mapping[str, Comparison],
) -> Row:
    part = figure.removeprefix("skill_")
    skill = part != figure
    words = FIGURES[SKILLS[part] if skill else figure]
    percent = skill or words.unit == "percent"
    unit = "%" if percent else unit_of(figure, data.tagged_units or Units())
    name = f"skill {part}, {words.words}" if skill else words.words
    upward = skill or words.best == "high"
    factor, sign = 100 if percent else 1, "≥" if upward else "≤"
    value = ours.value(figure)
    if skill and value is None and (known := data.skill(ours, SKILLS[part])) is not None:
        value = Value(known)
    found = [comparisons[run.run_id] for run in ours.runs if run.run_id in comparisons]
    estimates = [(c.skill.get(part) if skill else c.figures.get(figure)) for c in found]
    ends = [(e.low, e.high) for e in estimates if e and e.low is not None and e.high is not None]
    low, high = (factor * sum(e) / len(ends) for e in zip(*ends, strict=True)) if ends else (0, 0)
    met = value is not None and (value.mean >= goal if upward else value.mean <= goal)
    return Row(
        {
            "figure": f"{name} ({unit})" if unit else name,
            "goal": f"{sign} {_text(Value(goal), factor)}",
            "reached": None if value is None else _text(value, factor),
            "interval": f"{low:.4g} to {high:.4g}" if ends else None,
            "met": "yes" if met else "no",
        },
        None,
    )


def _text(value: Value, factor: float) -> str:
    spread = "" if value.sd is None else f" ± {factor * value.sd:.2g}"
    return f"{factor * value.mean:.4g}{spread}"


if __name__ == "__main__":
    app(prog_name="python -m reports.results")
