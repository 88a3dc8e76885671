"""Skill of forecasters by part.

What each adds to climatology: 1 − score / climatology's, with 95 % intervals by bootstrap over
sequences. Zero is no better than ignoring history.
"""

import smash
from smash.baselines import Climatology, Markov, fit_hawkes
from smash.workbench.report.figures import skill_plot

data = smash.load_data("simulated", simulator={"sequences": (60, 10, 30)})
rivals = {
    "climatology": Climatology.fit(data.train, data.n_marks),
    "markov": Markov.fit(data.train, data.n_marks),
    "hawkes": fit_hawkes(data.train, data.n_marks),
}
table = smash.compare(rivals, data.test)
scores = {"time": "crps_time", "location": "energy_location", "mark": "mark_log_loss"}
zero = table.loc["climatology", "value"]
figure = skill_plot(
    {
        name: {
            part: tuple(
                -table.loc[(name, score), column] / zero[score]
                for column in ("difference", "difference_high", "difference_low")
            )
            for part, score in scores.items()
        }
        for name in ("markov", "hawkes")
    }
)
