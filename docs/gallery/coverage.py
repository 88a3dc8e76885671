"""Coverage of two forecasters.

How many events lie inside the interval or the region of each level. A calibrated forecaster's curve
stays within the grey band in 95 of 100 cases; above the diagonal forecasts are too wide, below it
too narrow.
"""

import smash
from smash.baselines import Climatology, fit_hawkes
from smash.plots.diagnostics import coverage_curve

data = smash.load_data("simulated", simulator={"sequences": (60, 10, 30)})
rivals = {
    "hawkes": fit_hawkes(data.train, data.n_marks),
    "climatology": Climatology.fit(data.train, data.n_marks),
}
tables = {name: smash.evaluate(each, data.test).table for name, each in rivals.items()}

figure = coverage_curve(tables)
