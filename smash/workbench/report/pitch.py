"""A football pitch to draw on, in hundredths of its length and width."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Arc, Ellipse, Rectangle

LENGTH, WIDTH = 105.0, 68.0
"""Metres of a standard pitch, which 100 × 100 units stretch over."""
AREAS = ((16.5, 40.32), (5.5, 18.32))
"""Metres: depth and width of penalty and goal area (Laws of the Game, law 1)."""
SPOT, RADIUS, ARC = 11.0, 9.15, 53.0
"""Metres from goal line to penalty spot; of the circles; half the degrees of the arc outside."""
LINE: dict[str, Any] = {"edgecolor": "0.6", "facecolor": "none", "linewidth": 0.8, "zorder": 0.5}


def draw_pitch(axis: Axes) -> None:
    """Draws the lines of a pitch, and gives the panel its proportions and limits."""
    across, up = 200 * RADIUS / LENGTH, 200 * RADIUS / WIDTH
    axis.grid(visible=False)
    axis.add_patch(Rectangle((0, 0), 100, 100, **LINE))
    axis.add_patch(Rectangle((0, 0), 50, 100, **LINE))
    axis.add_patch(Ellipse((50, 50), across, up, **LINE))
    for right in (False, True):
        for depth, width in AREAS:
            x, y = 100 * depth / LENGTH, 100 * width / WIDTH
            axis.add_patch(Rectangle((100 - x if right else 0, 50 - y / 2), x, y, **LINE))
        spot = 100 * SPOT / LENGTH
        middle = 180 * right
        axis.add_patch(
            Arc(
                (100 - spot if right else spot, 50),
                across,
                up,
                theta1=middle - ARC,
                theta2=middle + ARC,
                **LINE,
            )
        )
    axis.set(xlim=(-3, 103), ylim=(-3, 103))
    axis.set_aspect(WIDTH / LENGTH)
