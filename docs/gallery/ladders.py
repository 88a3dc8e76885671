"""Skill against distance from the law that is known.

A panel a ladder of simulated data; a line a forecaster, from the lowest rung (the smallest dot) up.
Skill and distance add up to what there is to know on a rung: the dotted line with the rung's value.
"""

import pandas as pd

from smash.plots.ladder_figure import ladder_figure

climbs = pd.read_csv("experiments/contests/ladders.csv")

figure = ladder_figure(climbs)
