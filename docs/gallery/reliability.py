"""Reliability of mark probabilities.

How often the likeliest mark was right, against the probability it was given, and how often which
probability was given. On the diagonal probabilities hold what they say.
"""

import smash
from smash.baselines import Climatology, fit_hawkes
from smash.workbench.report.figures import reliability_diagram

data = smash.load_data("simulated", simulator={"sequences": (60, 10, 30)})
rivals = {
    "hawkes": fit_hawkes(data.train, data.n_marks),
    "climatology": Climatology.fit(data.train, data.n_marks),
}
tables = {name: smash.evaluate(each, data.test).table for name, each in rivals.items()}

figure = reliability_diagram(tables)
