"""Next events of football, forecast by a kept model.

The first events after a minute of two halves that the model was not trained on: the time until the
event as a histogram of draws, and where it is to be on the pitch. The regions and intervals hold
the event with the probability that the legend names; the line and the star are what happened.
"""

import numpy as np
import torch

import smash
from smash.law.samples import concatenated
from smash.plots.diagnostics import forecast_densities
from smash.workbench.report.pitch import draw_pitch

HALVES, MINUTE = 2, 60.0

kept = smash.load("pretrained:football")
halves = smash.load_data("football").test.select(range(HALVES))
forecasts = kept.forecast(halves, 300, torch.Generator().manual_seed(0))
samples, targets = concatenated([block.samples for block in forecasts]), halves.targets()

rows = [
    int(np.flatnonzero((targets.time > MINUTE) & (targets.sequence == half))[0])
    for half in range(HALVES)
]
earlier = [
    halves.location[(halves.sequence == half) & (halves.event < targets.event[row])][-8:]
    for half, row in enumerate(rows)
]
figure = forecast_densities(
    samples,
    targets,
    rows,
    history=earlier,
    time_unit="seconds",
    location_unit="hundredths of the pitch",
    mark_names=kept.about.mark_names,
    backdrop=draw_pitch,
)
