"""Forecasters to compare a model with, all behind the model's own forecast interface."""

from smash.baselines.climatology import Climatology, ClimatologySettings
from smash.baselines.hawkes import Hawkes, HawkesSettings, fit_hawkes
from smash.baselines.markov import Markov, MarkovSettings
from smash.baselines.mixture import Mixture, MixtureSettings
from smash.baselines.mixture_training import MixtureEpoch, fit_mixture
from smash.baselines.walk import Walk, WalkSettings

__all__ = [
    "Climatology",
    "ClimatologySettings",
    "Hawkes",
    "HawkesSettings",
    "Markov",
    "MarkovSettings",
    "Mixture",
    "MixtureEpoch",
    "MixtureSettings",
    "Walk",
    "WalkSettings",
    "fit_hawkes",
    "fit_mixture",
]
