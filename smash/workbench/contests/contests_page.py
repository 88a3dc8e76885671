"""docs/contests.md: the kept rows of contests as tables, none of whose figures is typed."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from smash.errors import DataError
from smash.workbench.contests import earthquakenpp
from smash.workbench.contests.contest_rows import ContestRow, by_data, read_rows
from smash.workbench.contests.ladder_contest import ladder_table, read_climbs
from smash.workbench.report.display_tables import Column, Raw, Row, Table, Value, to_markdown
from smash.workbench.report.labels import Units, column

HEAD = """# Contests

Made by `smash contest page` from the rows in `experiments/contests/`, which `smash contest rivals`
keeps; not edited by hand. Nats are −log densities an event in the data's own units, lower being
better; whoever knows no marks meets the others at time and place, the marks summed out. Every
forecaster was fitted to the training data, may have chosen by the validation data, and never saw
the test data. Seconds are the processor's, megabytes the most that the forecaster's own process
held. Where places repeat exactly, as addresses do, kernels that narrow to them have densities
without bound: read the nats of place beside the energy score.
"""
MARK = "mark_given_time_log_loss"
PARTS = (
    "unmarked_log_loss",
    "time_log_loss",
    "place_log_loss",
    MARK,
    "event_log_loss",
    "crps_time",
    "energy_location",
)
COSTS = (
    Column("fit_seconds", "s to fit", decimals=0),
    Column("score_seconds", "s to score", decimals=0),
    Column("megabytes", "MB", decimals=0),
)
EARTHQUAKENPP, NEXT_DAYS = "earthquakenpp-{}.json", "next-days-{}.json"
LADDERS = "ladders.csv"
TESTS = ("N", "S", "M", "PL")
LADDERS_SAY = """Simulated data that differ in one thing alone, whose law is known exactly, made by
`smash contest ladder`; [docs/ladders.png](ladders.png) draws skill over climatology against the
distance from the oracle, which knows the law.
"""


def page_of(records: Path) -> str:
    """Returns the page of all rows kept in a folder, as Markdown.

    Raises:
        DataError: naming a file that is no row.
    """
    rows = read_rows(records)
    parts = [HEAD]
    for name, of_data in by_data(rows).items():
        parts += [f"## {name}\n", to_markdown(_scores(name, of_data))]
    for catalog in earthquakenpp.PROTOCOLS:
        if (path := records / EARTHQUAKENPP.format(catalog)).exists():
            parts += [f"## EarthquakeNPP, {catalog}\n", to_markdown(_earthquakes(catalog, path))]
        if (path := records / NEXT_DAYS.format(catalog)).exists():
            parts += [f"## Next days, {catalog}\n", to_markdown(_next_days(catalog, path))]
    if (path := records / LADDERS).exists():
        climbs = read_climbs(path)
        parts += ["## Ladders\n", LADDERS_SAY]
        parts += [
            to_markdown(ladder_table(name, climbs)) for name in dict.fromkeys(climbs["ladder"])
        ]
    if rows:
        parts += ["## Sources\n", to_markdown(_sources(rows))]
    return "\n".join(parts)


def data_tables(rows: Sequence[ContestRow]) -> Iterator[Table]:
    """Yields a table of each data set, the best of time and place first."""
    for name, of_data in by_data(rows).items():
        yield _scores(name, of_data)


def every_row(rows: Sequence[ContestRow]) -> Table:
    """Returns all rows with all of their figures, to be written as CSV."""
    figures = sorted({name for row in rows for name in row.figures})
    about = ("data", "forecaster", "seed", "budget", "scoring", "samples", "events")
    digests = ("spec", "data")
    settings = sorted({name for row in rows for name in row.environment})
    columns = [
        *(Column(name, name) for name in about),
        *(Column(name, name) for name in ("reason", "lacking")),
        *COSTS,
        *(Column(name, name) for name in figures),
        *(Column(f"{name}_digest", f"{name}_digest") for name in digests),
        *(Column(name, name) for name in settings),
    ]
    made = [
        Row(
            {name: getattr(row.asked, name) for name in about}
            | {"reason": row.reason or None, "lacking": row.lacking or None}
            | _costs(row)
            | dict(row.figures)
            | {f"{name}_digest": row.asked.digests.get(name) for name in digests}
            | dict(row.environment)
        )
        for row in rows
    ]
    return Table("contests", "All rows of contests.", columns, made)


def _scores(name: str, rows: Sequence[ContestRow]) -> Table:
    """Returns a row for each forecaster on one data set, those without figures last, and why."""
    ordered = sorted(rows, key=_rank)
    scored = next((row for row in ordered if row.figures), ordered[0])
    units, marked = Units(*scored.units), any(MARK in row.figures for row in rows)
    columns = [
        Column("forecaster", "forecaster"),
        *(column(part, units) for part in PARTS),
        *COSTS,
    ]
    notes = [_terms(rows)]
    for row in ordered:
        if row.reason or row.lacking:
            who = row.asked.forecaster
            why = (row.reason or row.lacking).removeprefix(f"{who}: ").rstrip(".")
            notes.append(f"{who}: {why}.")
    made = [
        Row({"forecaster": row.asked.forecaster} | _figures(row, marked) | _costs(row))
        for row in ordered
    ]
    return Table(f"contest-{name}", f"All forecasters on {name}.", columns, made, tuple(notes))


def _rank(row: ContestRow) -> tuple[float, str]:
    return row.figures.get("unmarked_log_loss", float("inf")), row.asked.forecaster


def _figures(row: ContestRow, marked: bool) -> dict[str, Raw]:
    """Returns the figures shown; where events are marked, none of the whole without its mark."""
    known = [part for part in PARTS if part in row.figures]
    if marked and MARK not in known:
        known = [part for part in known if part != "event_log_loss"]
    return {
        part: Value(row.figures[part], decimals=3) if "log_loss" in part else row.figures[part]
        for part in known
    }


def _costs(row: ContestRow) -> dict[str, Raw]:
    return {cost.key: getattr(row, cost.key) for cost in COSTS}


def _terms(rows: Sequence[ContestRow]) -> str:
    """Returns on what terms the rows met, where these differ all of them."""

    def said(values: list[float]) -> str:
        return " or ".join(f"{value:,.0f}".replace(",", " ") for value in sorted(set(values)))

    events = said([row.figures["n_events"] for row in rows if row.figures])
    asked = [row.asked for row in rows]
    return (
        f"{events} test events, {said([a.samples for a in asked])} draws of each, seed "
        f"{said([a.seed for a in asked])}; at most {said([a.budget for a in asked])} processor "
        f"seconds of training and {said([a.scoring for a in asked])} of scoring."
    )


def _earthquakes(catalog: str, path: Path) -> Table:
    """Returns the rows that `smash contest earthquakenpp --out` wrote, and the published ones."""
    columns = [
        Column("forecaster", "forecaster"),
        *(Column(part, part, decimals=3, best="high") for part in ("time", "space", "sum")),
    ]
    published = [
        _likelihoods(f"{row.name}, published", row.time, row.space)
        for row in earthquakenpp.published(catalog)
    ]
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        ours = [_likelihoods(row["name"], row["time"], row["space"]) for row in found]
        notes = [f"{row['name']}: {row['reason']}." for row in found if row["reason"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: no rows of `smash contest earthquakenpp` ({error})") from error
    return Table(
        f"earthquakenpp-{catalog}",
        f"Log likelihood an event on {catalog}, in days and km²; higher is better.",
        columns,
        [*ours, *published],
        (f"Published: {earthquakenpp.SOURCE}.", *notes),
    )


def _next_days(catalog: str, path: Path) -> Table:
    """Returns what `smash contest next-day --out` wrote, but for its single days."""
    columns = [
        Column("forecaster", "forecaster"),
        *(Column(test, f"{test} passed (%)", decimals=1) for test in TESTS),
        *(Column(f"even {test}", f"{test}, p of even quantiles") for test in TESTS),
        Column("forecast", "events a day", decimals=2),
        Column("crps", "CRPS of their number", decimals=3, best="low"),
    ]
    rows = []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        for name, of in found["forecasters"].items():
            tests, numbers = of["tests"], of["numbers"]
            shown = {"forecaster": name, "forecast": numbers["forecast"], "crps": numbers["crps"]}
            shown |= {test: 100 * tests[test]["passed"] for test in TESTS}
            even = {f"even {test}": f"{tests[test]['even']:.2g}" for test in TESTS}
            rows.append(Row(shown | even))
        [first, *_] = found["forecasters"].values()
        days, observed = first["tests"]["N"]["days"], first["numbers"]["observed"]
        paths = found["paths"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: no record of `smash contest next-day` ({error})") from error
    return Table(
        f"next-days-{catalog}",
        f"CSEP's tests of next-day forecasts of {catalog}, at 5 %.",
        columns,
        rows,
        (
            f"{days} days, {paths} catalogues of each; {observed:.2f} events a day came. N: their "
            "number; S: places; M: magnitudes; PL: pseudo-likelihood. A vague forecast passes "
            "tests, too: the CRPS is a proper score.",
        ),
    )


def _likelihoods(name: str, time: float | None, space: float | None) -> Row:
    both = None if time is None or space is None else time + space
    return Row({"forecaster": name, "time": time, "space": space, "sum": both})


def _sources(rows: Sequence[ContestRow]) -> Table:
    """Returns what each row was made from and with."""
    columns = {
        "data": "data",
        "forecaster": "forecaster",
        "spec": "spec digest",
        "events": "data digest",
        "commit": "commit",
        "python": "Python",
        "version_torch": "torch",
        "device_name": "processor",
        "threads": "threads",
    }
    made = [
        Row(
            {
                "data": row.asked.data,
                "forecaster": row.asked.forecaster,
                "spec": row.asked.digests.get("spec", "")[:8],
                "events": row.asked.digests.get("data", "")[:8],
                "commit": row.environment.get("commit", "")[:8],
            }
            | {key: row.environment.get(key) for key in ("python", "version_torch")}
            | {key: row.environment.get(key) for key in ("device_name", "threads")}
        )
        for of_data in by_data(rows).values()
        for row in sorted(of_data, key=lambda row: row.asked.forecaster)
    ]
    headings = [Column(key, heading) for key, heading in columns.items()]
    return Table("contest-sources", "Where the rows come from.", headings, made, most=len(made))
