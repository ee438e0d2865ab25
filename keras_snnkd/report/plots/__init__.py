"""Pictures of a run, each a function that returns one SVG as a string, to be put into a page or written to a file.

The colours are those of Okabe and Ito (2008), "Color Universal Design", which colour-blind readers tell apart. Text stays text: it can be
searched, and a page that embeds the picture chooses the font.
"""

from keras_snnkd.report.plots.choices import accuracy_by_size, anytime, differences, gain_by_size, targets, trade_off
from keras_snnkd.report.plots.figure import palette
from keras_snnkd.report.plots.runs import firing_rates, learning_curves, raster

__all__ = [
    "accuracy_by_size",
    "anytime",
    "differences",
    "firing_rates",
    "gain_by_size",
    "learning_curves",
    "palette",
    "raster",
    "targets",
    "trade_off",
]
