"""Futures on maps.

Where events are expected in each quarter of the horizon, and how many there are so far: the bands
hold their number with the probability that the legend names. Dots are the history.
"""

import pandas as pd

import smash
from smash.plots.future_maps import future_maps

kept = smash.load("pretrained:football")
first = smash.load_data("football").test.select([0])
history = pd.DataFrame(first.location[:20], columns=["x", "y"])
history["time"], history["mark"] = first.time[:20], first.mark[:20].astype(str)

figure = future_maps(kept.simulate(history, horizon=60.0, n_paths=200))
