"""Scores along a chain of Langevin steps.

What a published model scores after each block of steps, from the records in `experiments/results/`:
where a curve has not levelled off, the chain is too short.
"""

from pathlib import Path

import pandas as pd

from smash.workbench.pages.records import read_recorded
from smash.workbench.report.figures import block_scores

recorded = read_recorded(Path(__file__).parents[2] / "experiments" / "results")
longest = max(recorded.details.values(), key=lambda detail: len(detail.chain))
steps = pd.DataFrame(longest.chain).T.sort_index()

figure = block_scores({(name, ""): steps[name] for name in steps.columns[:6]})
