"""The goals set for a data set (`goals.csv`) beside what its experiment reached."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass

from smash.shipped_files import shipped_root
from smash.workbench.pages.shipped_specs import departures
from smash.workbench.report.display_tables import Column, Raw, Row, Table, Value
from smash.workbench.report.labels import FIGURES, SKILLS, Units, unit_of
from smash.workbench.report.logged_comparison import Comparison, mean_ends
from smash.workbench.report.run_groups import DataSet, Group, latest


@dataclass(frozen=True)
class Goal:
    """A figure and what it should reach; `part` is that of a skill, None for other figures."""

    figure: str
    goal: float

    @property
    def part(self) -> str | None:
        part = self.figure.removeprefix("skill_")
        return None if part == self.figure else part

    @property
    def score(self) -> str:
        """The test figure that it is about: of a skill, the score it is made of."""
        return self.figure if self.part is None else SKILLS[self.part]

    @property
    def upward(self) -> bool:
        return self.part is not None or FIGURES[self.score].best == "high"

    @property
    def factor(self) -> float:
        """What its numbers are shown times: 100 for per cent."""
        return 100 if self.part or FIGURES[self.score].unit == "percent" else 1

    def words(self, units: Units) -> str:
        unit = "%" if self.factor != 1 else unit_of(self.score, units)
        named = FIGURES[self.score].words
        words = named if self.part is None else f"skill {self.part}, {named}"
        return f"{words} ({unit})" if unit else words

    def met(self, reached: float) -> bool:
        return reached >= self.goal if self.upward else reached <= self.goal

    def shown(self, value: Value) -> str:
        spread = "" if value.sd is None else f" ± {self.factor * value.sd:.2g}"
        return f"{self.factor * value.mean:.5g}{spread}"


def goals(data: DataSet, comparisons: Mapping[str, Comparison], units: Units) -> Table | None:
    """Returns the goals set for a data set and what its experiment of that name reached.

    Every goal is there, met or not, and empty cells where nothing was run yet; None where no goal
    was set.
    """
    with (shipped_root() / "reports" / "goals.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["dataset"] == data.name]
    if not rows:
        return None
    ours, spec = latest(data.models, data.name), f"experiments/{data.name}.yaml"
    note = (
        f"Not run yet. No run of {spec} is recorded."
        if ours is None
        else "Interval: by bootstrap over groups of test sequences that share no event, its ends "
        "averaged over seeds."
    )
    return Table(
        f"{data.key}-goals",
        f"Goals on {data.name} and what {spec} reached: raw figures, mean over seeds.",
        [
            Column("figure", "figure"),
            Column("goal", "goal"),
            Column("reached", "reached"),
            Column("interval", "95 % interval"),
            Column("met", "met"),
        ],
        [
            _row(Goal(row["figure"], float(row["goal"])), data, ours, comparisons, units)
            for row in rows
        ],
        [note, *(departures(ours, spec) if ours else ())],
    )


def _row(
    goal: Goal,
    data: DataSet,
    ours: Group | None,
    comparisons: Mapping[str, Comparison],
    units: Units,
) -> Row:
    sign = "≥" if goal.upward else "≤"
    values: dict[str, Raw] = {
        "figure": goal.words(units),
        "goal": f"{sign} {goal.shown(Value(goal.goal))}",
    }
    if ours is not None:
        reached = _reached(goal, data, ours)
        values |= {
            "reached": None if reached is None else goal.shown(reached),
            "interval": _interval(goal, ours, comparisons),
            "met": "yes" if reached is not None and goal.met(reached.mean) else "no",
        }
    return Row(values, None)


def _reached(goal: Goal, data: DataSet, ours: Group) -> Value | None:
    value = ours.value(goal.figure)
    if goal.part is None or value is not None:
        return value
    known = data.skill(ours, goal.score)
    return None if known is None else Value(known)


def _interval(goal: Goal, ours: Group, comparisons: Mapping[str, Comparison]) -> str | None:
    """Returns the ends of the interval, averaged over seeds; None where none was logged."""
    found = [comparisons[run.run_id] for run in ours.runs if run.run_id in comparisons]
    ends = mean_ends(
        [c.skill.get(goal.part) if goal.part else c.figures.get(goal.figure) for c in found]
    )
    return ends and " to ".join(f"{goal.factor * end:.4g}" for end in ends)
