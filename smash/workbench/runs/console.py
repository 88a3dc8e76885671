"""What a run says on the terminal: progress of long work, warnings, tables of figures."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from smash.scores.bootstrap import REFERENCES
from smash.scores.summary import quality_of

SAY_EVERY = 60.0
"""Seconds between the plain lines of long sampling."""
console = Console(stderr=True, highlight=False)
"""Progress and notes go to standard error; tables of results to standard output."""

SHOWN = {
    "relative_score": ("proper scores relative to climatology", 1.0, "{:.4f}"),
    "n_events": ("events", 1.0, "{:.0f}"),
    "n_distinct": ("distinct events", 1.0, "{:.0f}"),
    "cs_time": ("CS time (%)", 100.0, "{:.2f}"),
    "cs_location": ("CS location (%)", 100.0, "{:.2f}"),
    "cs_floor": ("CS of a perfect forecast (%)", 100.0, "{:.2f}"),
    "cs_time_law": ("CS time, by the law's cdf (%)", 100.0, "{:.2f}"),
    "cs_time_original": ("CS time, published estimator (%)", 100.0, "{:.2f}"),
    "cs_location_original": ("CS location, published estimator (%)", 100.0, "{:.2f}"),
    "mae_time": ("MAE time, mean", 1.0, "{:.4g}"),
    "mae_time_median": ("MAE time, median", 1.0, "{:.4g}"),
    "rmse_time": ("RMSE time, mean", 1.0, "{:.4g}"),
    "mae_location": ("MAE location, mean", 1.0, "{:.4g}"),
    "mae_location_median": ("MAE location, median", 1.0, "{:.4g}"),
    "skill_time": ("skill of time, by CRPS (%)", 100.0, "{:.1f}"),
    "skill_location": ("skill of location, by energy score (%)", 100.0, "{:.1f}"),
    "skill_mark": ("skill of mark, by log loss (%)", 100.0, "{:.1f}"),
    "crps_time": ("CRPS time", 1.0, "{:.4g}"),
    "crps_time_law": ("CRPS time, by the law's cdf", 1.0, "{:.4g}"),
    "energy_location": ("energy score location", 1.0, "{:.4g}"),
    "accuracy": ("accuracy (%)", 100.0, "{:.2f}"),
    "accuracy_original": ("accuracy, published estimator (%)", 100.0, "{:.2f}"),
    "ece": ("ECE (%)", 100.0, "{:.2f}"),
    "mark_log_loss": ("mark log loss", 1.0, "{:.4f}"),
    "time_log_loss": ("log loss of time (nats)", 1.0, "{:.4f}"),
    "mark_given_time_log_loss": ("log loss of mark given time (nats)", 1.0, "{:.4f}"),
    "place_log_loss": ("log loss of place (nats)", 1.0, "{:.4f}"),
    "unmarked_log_loss": ("log loss of time and place (nats)", 1.0, "{:.4f}"),
    "event_log_loss": ("log loss of the whole event (nats)", 1.0, "{:.4f}"),
    **{
        f"information_gain_{what}{reference}": (
            f"information gain over {reference}{words} (nats)",
            1.0,
            "{:.4f}",
        )
        for reference in REFERENCES
        for what, words in {"": "", "unmarked_": ", mark summed out"}.items()
    },
}
"""Figures shown on the terminal: their words, factor and format."""


def say(text: str) -> None:
    """Prints a line for whoever watches."""
    console.print(text, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """Prints a warning."""
    console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)


@contextmanager
def training_progress(n_targets: int, total_epochs: int, done: int) -> Iterator["EpochBar"]:
    """Yields a bar over all targets of all epochs, with loss, events a second and time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        _SpeedColumn(),
    )
    with Progress(*columns, console=console, refresh_per_second=4) as progress:
        task = progress.add_task(
            f"epoch {min(done + 1, total_epochs)}/{total_epochs}",
            total=n_targets * total_epochs,
            completed=n_targets * done,
            note="",
        )
        yield EpochBar(progress, task, total_epochs)


class _SpeedColumn(ProgressColumn):
    """Events a second, of late."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f} events/s" if task.speed else "")


class EpochBar:
    """A training's progress bar; a plain line an epoch where there is no terminal."""

    def __init__(self, progress: Progress, task: TaskID, total_epochs: int) -> None:
        self._progress, self._task, self._total = progress, task, total_epochs

    def batch(self, n_targets: int, loss: float) -> None:
        """Counts a batch of targets."""
        self._progress.update(self._task, advance=n_targets, note=f"loss {loss:.4f}")

    def epoch(self, epoch: int, line: str) -> None:
        """Says what an epoch gave and starts the next."""
        if not console.is_terminal:
            say(line)
        following = min(epoch + 1, self._total)
        self._progress.update(self._task, description=f"epoch {following}/{self._total}")


class SamplingBar:
    """A bar of sample steps; a plain line a minute where there is no terminal."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task
        self._said = time.monotonic()

    def advance(self, steps: int) -> None:
        """Counts sample steps."""
        self._progress.advance(self._task, steps)
        now = time.monotonic()
        if console.is_terminal or now - self._said < SAY_EVERY:
            return
        self._said, task = now, self._progress.tasks[self._task]
        left = "" if task.time_remaining is None else f", {task.time_remaining:.0f} s left"
        say(f"{task.description} {task.percentage:.0f} %{left}")


@contextmanager
def sampling_progress(what: str, total: int) -> Iterator[SamplingBar]:
    """Yields a bar of `total` sample steps."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, refresh_per_second=4) as progress:
        yield SamplingBar(progress, progress.add_task(what, total=total))


def figures_table(
    title: str, columns: Mapping[str, Mapping[str, float]], caption: str = ""
) -> Table:
    """Returns a table of the figures in `SHOWN`, a column for each named set of figures.

    The last column says how they are known (`smash.scores.summary.quality_of`).
    """
    table = Table(
        title=title, title_justify="left", caption=caption or None, caption_justify="left"
    )
    table.add_column("figure")
    for name in columns:
        table.add_column(name, justify="right")
    table.add_column("quality")
    for figure, (words, factor, form) in SHOWN.items():
        values = [figures.get(figure) for figures in columns.values()]
        if any(value is not None for value in values):
            cells = ["-" if value is None else form.format(factor * value) for value in values]
            table.add_row(words, *cells, quality_of(figure))
    return table


def show_figures(title: str, columns: Mapping[str, Mapping[str, float]], caption: str = "") -> None:
    """Prints the table of figures to standard output."""
    Console(highlight=False).print(figures_table(title, columns, caption))


def comparison_table(title: str, comparison: Mapping[str, Any]) -> Table:
    """Returns a table of paired tests (`smash.scores.bootstrap.compare_tables`): a row a score."""
    table = Table(
        title=title,
        title_justify="left",
        caption="Mean score of the model minus the baseline's: below zero the model is better. "
        f"95 % intervals and p-values from {comparison['n_groups']} groups of "
        f"{comparison['n_distinct']} distinct events.",
        caption_justify="left",
    )
    for name in ("baseline", "score"):
        table.add_column(name)
    for name in ("difference", "95 % interval", "p"):
        table.add_column(name, justify="right")
    for baseline, scores in comparison["against"].items():
        for score, found in scores.items():
            ends = [found[end] for end in ("low", "high")]
            interval = "-" if None in ends else "{:.4g} … {:.4g}".format(*ends)
            p_value = "-" if found["p_value"] is None else f"{found['p_value']:.4f}"
            table.add_row(baseline, score, f"{found['difference']:.4g}", interval, p_value)
    return table


def show_comparison(title: str, comparison: Mapping[str, Any]) -> None:
    """Prints the table of paired tests to standard output."""
    Console(highlight=False).print(comparison_table(title, comparison))
