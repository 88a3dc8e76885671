"""Ranks of the truth among the draws.

Flat is calibrated. A hump in the middle: forecasts are too wide; a valley: too narrow; a slope:
they come too early or too late.
"""

import smash
from smash.baselines import Climatology, fit_hawkes
from smash.workbench.report.figures import pit_histograms

data = smash.load_data("simulated", simulator={"sequences": (60, 10, 30)})
rivals = {
    "hawkes": fit_hawkes(data.train, data.n_marks),
    "climatology": Climatology.fit(data.train, data.n_marks),
}
tables = {name: smash.evaluate(each, data.test).table for name, each in rivals.items()}

figure = pit_histograms(tables)
