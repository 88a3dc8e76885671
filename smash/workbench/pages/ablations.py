"""What single changes to a winning spec do, on validation data alone.

The winner is the experiment named as its data set; its changes are the experiments named
`football-ablation-…` and the like: the same spec with `--set name=football-ablation-skip`, a key
changed, and `--stage train`, so that no test data are touched.
"""

from smash.scores.bootstrap import SKILLS
from smash.workbench.report.display_tables import Column, Raw, Row, Table, filled
from smash.workbench.report.labels import Units, column
from smash.workbench.report.run_groups import (
    DataSet,
    Group,
    by_setting,
    different_keys,
    latest,
    settings_of,
)

RELATIVE = "relative_score"


def validated(data: DataSet) -> list[Group]:
    """Returns the models scored on validation data that chose nothing by test data."""
    runs = (*data.tested, *data.others)
    strict = (run for run in runs if run.validated and run.protocol == "strict" and not run.quick)
    return by_setting(sorted(strict, key=lambda run: run.started))


def changed(data: DataSet) -> list[Group]:
    """Returns the models of the ablations of a data set."""
    prefix = f"{data.name}-ablation-"
    return [group for group in validated(data) if group.first.experiment.startswith(prefix)]


def ablations(data: DataSet, units: Units) -> Table | None:
    """Returns a row for the winner and each change to it; None where no change was recorded."""
    if not (others := changed(data)):
        return None
    winner = latest(validated(data), data.name)
    figures = [column(figure, units) for figure in SKILLS.values()]
    note = (
        "On the half of the validation data that is for selection. Relative score: mean of the "
        "three scores beside it, each divided by climatology's on the same events; 1 is no better "
        "than ignoring history. Mean ± standard deviation over seeds."
    )
    missing = f"No run of experiments/{data.name}.yaml with validation scores is recorded."
    return filled(
        Table(
            f"{data.key}-ablations",
            f"Changes to experiments/{data.name}.yaml and what they do on validation data.",
            [
                Column("experiment", "experiment"),
                Column("changed", "changed"),
                Column("seeds", "seeds", decimals=0),
                Column(RELATIVE, "relative score", decimals=4, best="low"),
                Column("loss", "worse by", decimals=4, signed=True),
                *figures,
            ],
            [_row(group, winner) for group in ([winner] if winner else []) + others],
            [note] if winner else [note, missing],
        )
    )


def _row(group: Group, winner: Group | None) -> Row:
    found = group.values("validation/")
    values: dict[str, Raw] = {figure: found.get(figure) for figure in (RELATIVE, *SKILLS.values())}
    values |= {"experiment": group.first.experiment, "seeds": len(group.runs)}
    if group is winner:
        values["changed"] = "nothing"
    elif winner is not None:
        values["changed"] = ", ".join(differences(winner, group)) or "nothing"
        values["loss"] = found[RELATIVE].mean - winner.values("validation/")[RELATIVE].mean
    contest = "/".join(f"{found[n].mean:.0f}" for n in ("n_events", "n_samples") if n in found)
    return Row(values, contest)


def differences(winner: Group, group: Group) -> list[str]:
    """Returns the keys of the spec that differ, each with both values."""
    before, after = settings_of(winner.first), settings_of(group.first)
    return [
        f"{key}={after.get(key, '–')} (was {before.get(key, '–')})"
        for key in different_keys(before, after)
        if key != "name"
    ]
