"""The film of a test: the intensity on the map while the events of a sequence come in."""

import tempfile
from pathlib import Path

import numpy as np

from smash.data.events import EventSequences
from smash.errors import ForecastError
from smash.forecast.event_forecaster import EventForecaster
from smash.forecast.histories import History
from smash.forecast.intensity_map import IntensityMap, intensity_map
from smash.plots.intensity_maps import write_film
from smash.workbench.runs.stages import Run

FILM = "figures/intensity.gif"
FRAMES, CELLS, SHOWN = 24, 40, 12
"""Moments, cells to a side, and how many events come in, the last ones of the sequence."""


def log_film(run: Run, forecaster: EventForecaster) -> None:
    """Logs the film of the longest test sequence; none without places or of laws without density.

    Each frame is given the events before it.
    """
    longest = int(np.argmax(run.data.test.lengths))
    try:
        intensity = _along(run.data.test.select([longest]), forecaster)
    except ForecastError:
        return
    if intensity is not None:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / Path(FILM).name
            write_film(intensity, path, path.suffix)
            run.tracker.log_artifact(path, str(Path(FILM).parent))


def _along(events: EventSequences, forecaster: EventForecaster) -> IntensityMap | None:
    """Returns the intensity over the last events of a sequence; None where there is no time."""
    if not events.n_axes or len(events.time) < 2:
        return None
    first, last = events.time[-SHOWN - 1 :][[0, -1]]
    if first == last:
        return None
    return intensity_map(
        forecaster.forecaster,
        History(events, float(last)),
        np.linspace(first, last, FRAMES + 1)[1:],
        forecaster.about,
        forecaster.about.geography.box(forecaster.region),
        CELLS,
    )
