"""Coverage minus level.

The same with the diagonal taken off, so that small errors are seen. The dots are the levels over
which CS is the mean absolute error.
"""

import smash
from smash.baselines import Climatology, fit_hawkes
from smash.plots.diagnostics import coverage_error

data = smash.load_data("simulated", simulator={"sequences": (60, 10, 30)})
rivals = {
    "hawkes": fit_hawkes(data.train, data.n_marks),
    "climatology": Climatology.fit(data.train, data.n_marks),
}
tables = {name: smash.evaluate(each, data.test).table for name, each in rivals.items()}

figure = coverage_error(tables)
