"""The intensity of events on a map: panels by mark and time, or a film of them."""

import base64
import io
from collections.abc import Iterator, Sequence
from html import escape
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from smash.forecast.intensity_map import IntensityMap
from smash.plots.diagnostics import STYLE, TRUTH
from smash.plots.map_axes import label_degrees, moment_said, tallness

Floats = NDArray[np.float64]

PANELS, MARKS = 4, 8
"""Most panels side by side, and most marks: the ones of the greatest intensity."""
RECENT = 100
"""Of the history's events before a panel's time, the last so many are drawn."""
DECADES = 4
"""Orders of magnitude below the greatest intensity that colours tell apart."""
PANEL, TITLE, SIDES, ENDS, TALLEST = 1.35, 0.12, 1.6, 0.8, 2.0
"""Inches: a panel's width, a line above it, what stands beside and above all panels; and the most
of a panel's height by its width."""
FRAMES_A_SECOND, DOTS = 4, 110
"""Of a film; dots an inch."""


@rc_context(STYLE)
def intensity_maps(intensity: IntensityMap) -> Figure:
    """Returns maps by mark, a row each, and by time, up to four evenly among them.

    Dots are the last events before that time, the latest of them ringed. One scale of colours,
    logarithmic, serves all maps.
    """
    n_times, marks = len(intensity.times), _marks(intensity)
    chosen = np.unique(np.linspace(0, n_times - 1, min(PANELS, n_times)).round().astype(int))
    figure, axes = _figure(intensity, len(marks), len(chosen), TITLE)
    for (row, mark), (column, at) in product(enumerate(marks), enumerate(chosen)):
        panel = _Panel(axes[row, column], intensity, mark)
        panel.draw(int(at))
        if row == 0:
            panel.axes.set_title(_since(intensity, int(at)))
        if column == 0:
            panel.axes.set_ylabel(_mark_said(intensity, mark))
    _finish(figure, axes, intensity, panel.mesh)
    figure.suptitle(_told(intensity, marks), fontsize=9)
    return figure


def write_film(intensity: IntensityMap, path: Path, ending: str) -> None:
    """Writes a film of the maps by mark, a frame each time: an animated GIF, or a page.

    The page needs no scripts: it plays by itself, or shows the frame that is chosen by its time.

    Raises:
        OSError: when it cannot be written.
    """
    with rc_context(STYLE):
        if ending == ".html":
            path.write_text(_page(intensity), encoding="utf-8")
            return
        writer, (figure, axes) = PillowWriter(fps=FRAMES_A_SECOND), _film_figure(intensity)
        FigureCanvasAgg(figure)
        with writer.saving(figure, str(path), DOTS):
            for _ in _frames(figure, axes, intensity):
                writer.grab_frame()


def _page(intensity: IntensityMap) -> str:
    """Returns the film as one page, its frames within."""
    (figure, axes), pictures = _film_figure(intensity), []
    for _ in _frames(figure, axes, intensity):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DOTS)
        pictures.append(base64.b64encode(buffer.getvalue()).decode("ascii"))
    names = [_since(intensity, at) for at in range(len(pictures))]
    n, title = len(pictures), _told(intensity, _marks(intensity))
    seconds = n / FRAMES_A_SECOND
    rules = [
        f"#frame{i}:checked~div img:nth-of-type({i + 1}){{visibility:visible;animation:none}}"
        f"#play:checked~div img:nth-of-type({i + 1}){{animation-delay:{i / FRAMES_A_SECOND:g}s}}"
        for i in range(n)
    ]
    choices = [
        f'<input type="radio" name="frame" id="frame{i}">&#8288;'
        f'<label for="frame{i}">{escape(name)}</label>'
        for i, name in enumerate(names)
    ]
    images = [
        f'<img alt="{escape(name)}" src="data:image/png;base64,{picture}">'
        for name, picture in zip(names, pictures, strict=True)
    ]
    return _PAGE.format(
        title=escape(title),
        shown=f"{100 / n:.4f}",
        seconds=f"{seconds:g}",
        rules="\n".join(rules),
        choices="\n".join(choices),
        images="\n".join(images),
    )


_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body{{font:14px/1.4 sans-serif;max-width:60rem;margin:1rem auto;padding:0 1rem}}
body{{background:#fff;color:#222}}
h1{{font-size:1.2rem}}
.film{{position:relative;display:grid;margin-top:1rem}}
.film img{{grid-area:1/1;max-width:100%;visibility:hidden}}
#play:checked~div img{{animation:show {seconds}s step-end infinite}}
@keyframes show{{0%{{visibility:visible}}{shown}%{{visibility:hidden}}}}
label{{margin-right:.8rem;white-space:nowrap;cursor:pointer}}
{rules}
@media (prefers-reduced-motion:reduce){{
#play:checked~div img{{grid-area:auto;animation:none;visibility:visible}}
}}
</style>
<h1>{title}</h1>
<input type="radio" name="frame" id="play" checked><label for="play">play</label>
{choices}
<div class="film">
{images}
</div>
</html>
"""


def _frames(figure: Figure, axes: NDArray, intensity: IntensityMap) -> Iterator[None]:
    """Yields once a time, with the figure drawn for it."""
    marks = _marks(intensity)
    panels = [_Panel(one, intensity, mark) for one, mark in zip(axes.flat, marks, strict=False)]
    for panel in panels:
        panel.axes.set_title(_mark_said(intensity, panel.mark))
    for empty in axes.flat[len(marks) :]:
        empty.set_axis_off()
    _finish(figure, axes, intensity, panels[0].mesh)
    title = figure.suptitle(" ", fontsize=9)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # found once; all frames have it
    for at in range(len(intensity.times)):
        for panel in panels:
            panel.draw(at)
        title.set_text(f"{_said(intensity, at)} ({_since(intensity, at)})")
        yield


def _film_figure(intensity: IntensityMap) -> tuple[Figure, NDArray]:
    n_marks = len(_marks(intensity))
    columns = min(n_marks, PANELS)
    return _figure(intensity, -(-n_marks // columns), columns, 2 * TITLE)


def _figure(
    intensity: IntensityMap, rows: int, columns: int, above: float
) -> tuple[Figure, NDArray]:
    """Returns a figure with so many panels, `above` each of which is room for a line or two."""
    width = PANEL * columns + SIDES
    height = (PANEL * min(_tallness(intensity), TALLEST) + above) * rows + ENDS
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)


def _tallness(intensity: IntensityMap) -> float:
    low, high = (np.array([intensity.x[i], intensity.y[i]]) for i in (0, -1))
    if intensity.about.geography.geographic:
        return tallness(low, high)
    width, height = high - low
    return float(height / width)


class _Panel:
    """The map of one mark, and the history's last events, at one time after another."""

    def __init__(self, axes: Axes, intensity: IntensityMap, mark: int) -> None:
        self.axes, self.intensity, self.mark = axes, intensity, mark
        x, y, geography = intensity.x, intensity.y, intensity.about.geography
        most = float(intensity.values.max()) or 1.0
        norm = LogNorm(most * 10.0**-DECADES, most, clip=True)
        values = intensity.values[0, mark]
        self.mesh = axes.pcolormesh(x, y, values, norm=norm, cmap="Blues", rasterized=True)
        (self.dots,) = axes.plot([], [], ".", color=TRUTH, markersize=3, markeredgewidth=0)
        (self.ring,) = axes.plot([], [], "o", color=TRUTH, markersize=6, fillstyle="none")
        axes.set(xlim=x[[0, -1]], ylim=y[[0, -1]])
        axes.grid(False)
        axes.set_box_aspect(min(_tallness(intensity), TALLEST))
        if geography.geographic:
            label_degrees(axes)

    def draw(self, at: int) -> None:
        """Shows the time of number `at`."""
        events = self.intensity.history.events
        known = events.time < self.intensity.times[at]
        places = self.intensity.about.geography.degrees(events.location[known][-RECENT:])
        self.mesh.set_array(self.intensity.values[at, self.mark])
        self.dots.set_data(*places.T)
        self.ring.set_data(*places[-1:].T)


def _finish(figure: Figure, axes: NDArray, intensity: IntensityMap, drawn: QuadMesh) -> None:
    """Adds what all maps share: the names of the coordinates and the scale of colours."""
    x, y = intensity.about.location_names
    figure.supxlabel(x, fontsize=8)
    figure.supylabel(y, fontsize=8)
    figure.colorbar(drawn, ax=axes, label=intensity.unit, aspect=30, fraction=0.05, extend="min")


def _marks(intensity: IntensityMap) -> Sequence[int]:
    """Returns the marks that are drawn, in their order."""
    of_mark = intensity.values.sum(axis=(0, 2, 3))
    greatest = np.argsort(-of_mark, kind="stable")[:MARKS]
    return [int(mark) for mark in np.sort(greatest)]


def _mark_said(intensity: IntensityMap, mark: int) -> str:
    name = intensity.mark_names[mark]
    return f"mark {name}" if name else ""


def _told(intensity: IntensityMap, marks: Sequence[int]) -> str:
    """Returns what the maps show, in words."""
    of = len(intensity.mark_names)
    some = f" ({len(marks)} of {of} marks, those of the greatest)" if len(marks) < of else ""
    return f"Intensity if no further event comes{some}"


def _said(intensity: IntensityMap, at: int) -> str:
    return moment_said(intensity.about, float(intensity.times[at]))


def _since(intensity: IntensityMap, at: int) -> str:
    """Returns how far a time is beyond what is known, such as `+3 hours`."""
    since = float(intensity.times[at]) - intensity.history.now
    return f"{since:+.3g} {intensity.about.time_unit}".replace("-", "\N{MINUS SIGN}", 1)
