"""What maps have in common: sides as on the ground, degrees and times as people write them."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from smash.data.geography import wrapped
from smash.model.smash import About

Floats = NDArray[np.float64]


def tallness(low: Floats, high: Floats) -> float:
    """Returns height by width of a box in degrees whose kilometres are as long both ways."""
    width, height = high - low
    narrowed = max(float(np.cos(np.radians((low[1] + high[1]) / 2))), 0.1)
    return float(height / (width * narrowed))


def label_degrees(panel: Axes) -> None:
    """Writes longitudes beyond the date line as on a map."""
    panel.xaxis.set_major_formatter(lambda x, _: _longitude(x))
    panel.xaxis.set_major_locator(MaxNLocator(nbins=2, steps=[1, 2, 5, 10]))


def _longitude(degrees: float) -> str:
    """Returns a longitude between -180 and 180, the date line as 180."""
    around = float(wrapped(np.array([degrees, 0.0]))[0])
    return f"{180 if around == -180 else around:g}".replace("-", "\N{MINUS SIGN}")


def moment_said(about: About, time: float) -> str:
    """Returns a time in words: a timestamp to the minute, or the number."""
    moment = about.clock.times(np.array([time]))[0]
    return f"{moment:%Y-%m-%d %H:%M} UTC" if isinstance(moment, pd.Timestamp) else f"{moment:.6g}"
