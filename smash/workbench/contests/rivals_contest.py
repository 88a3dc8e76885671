"""A contest: every forecaster on every data set, one after the other, what is done being kept."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from smash.baseline_names import RIVAL, RIVALS, unknown
from smash.errors import SpecError
from smash.workbench.contests.attempt import attempt, row_of
from smash.workbench.contests.contest_rows import Asked, ContestRow, keep, kept
from smash.workbench.contests.grounds import SHIPPED, SUGGESTED, ground_of, is_model

PRESETS = tuple(f"{RIVAL}{preset}" for preset in RIVALS)
BASELINES = ("oracle", "climatology", "poisson", "markov", "walk", "hawkes", "mixture")
DEFAULT = (*BASELINES, SUGGESTED, SHIPPED, *PRESETS)
"""Forecasters of a contest that names none."""


@dataclass(frozen=True)
class Terms:
    """On what terms all meet: `smash.workbench.contests.contest_rows.Asked` says what they are."""

    seed: int = 0
    budget: float = 300.0
    scoring: float = 1800.0
    samples: int = 300
    events: int = 0

    def asked(self, data: str, forecaster: str, digests: dict[str, str]) -> Asked:
        """Returns what a row of the contest is asked for."""
        return Asked(data, forecaster, **asdict(self), digests=digests)


def check_forecasters(names: Sequence[str]) -> None:
    """Checks that forecasters can be meant.

    Raises:
        SpecError: naming the one that is not known.
    """
    if not names:
        raise SpecError("--forecasters: names none; leave it out for all that come with the code")
    for name in names:
        if not is_model(name) and (problem := unknown(name, (SUGGESTED, SHIPPED))):
            raise SpecError(f"--forecasters: {problem}; or a kept model's folder")


def held_contest(
    data: Sequence[str],
    forecasters: Sequence[str],
    terms: Terms,
    folder: Path,
    again: bool = False,
    say: Callable[[str], None] = lambda text: None,
    apart: Callable[[str], bool] = lambda name: True,
) -> list[ContestRow]:
    """Returns the rows of all forecasters on all data sets, which are kept in `folder`.

    Rows that are there for the very same terms are not made again, unless they are `again` to be
    tried because they have no figures. Those of whom `apart` is true have a process of their own.

    Raises:
        SpecError, DataError: when a data set or forecaster is not known, before any is tried.
        KeyboardInterrupt: what was done by then is kept.
    """
    check_forecasters(forecasters)
    digests = {name: ground_of(name, terms.seed).digests for name in data}
    wanted = [terms.asked(name, who, digests[name]) for name in data for who in forecasters]
    rows = []
    for number, asked in enumerate(wanted, start=1):
        say(f"[{number}/{len(wanted)}] {asked.data}, {asked.forecaster}")
        row = kept(asked, folder)
        if row is not None and not (again and row.reason):
            say(f"kept: {outcome(row)}")
        else:
            row = attempt(asked, folder) if apart(asked.forecaster) else _here(asked, folder)
            say(outcome(row))
        rows.append(row)
    return rows


def _here(asked: Asked, folder: Path) -> ContestRow:
    """Returns the row of a forecaster tried in this process, whose memory is not its own."""
    row = replace(row_of(asked), megabytes=None)
    keep(row, folder)
    return row


def outcome(row: ContestRow) -> str:
    """Returns a line of what became of a forecaster."""
    if row.reason:
        return f"no figures: {row.reason}"
    nats = row.figures.get("unmarked_log_loss")
    scored = f"no density: {row.lacking}" if nats is None else f"time and place {nats:.3f} nats"
    costs = f"{row.fit_seconds or 0:.0f} s fit, {row.score_seconds or 0:.0f} s scored"
    memory = "" if row.megabytes is None else f", {row.megabytes:.0f} MB"
    return f"{scored}; {costs}{memory}"
