"""The intensity by mark and time.

λ(t, x, k | history) if no further event comes: rows are marks, columns times, one scale of colours
for all. `smash.plots.intensity_maps.write_film` writes the same as a film.
"""

import pandas as pd

import smash
from smash.plots.intensity_maps import intensity_maps

kept = smash.load("pretrained:football")
first = smash.load_data("football").test.select([0])
history = pd.DataFrame(first.location[:20], columns=["x", "y"])
history["time"], history["mark"] = first.time[:20], first.mark[:20].astype(str)

now = first.time[19]
figure = intensity_maps(kept.intensity(history, [now + 1, now + 3, now + 10]))
