"""Magnitudes of a catalogue.

How many events there are of each magnitude and from each magnitude on, where the catalogue begins
to look complete, and the law of Gutenberg and Richter above it, with the 95 % interval of b.
"""

import hvsampledata

from smash.plots.magnitude_figure import draw_magnitudes

magnitudes = hvsampledata.earthquakes("pandas")["mag"].to_numpy()

figure = draw_magnitudes(magnitudes)
