"""Forecasters to compare a model with, all behind the model's own forecast interface."""

from smash.baselines.climatology import Climatology, ClimatologySettings
from smash.baselines.etas import Etas, EtasSettings, fit_etas
from smash.baselines.hawkes import Hawkes, fit_hawkes
from smash.baselines.markov import Markov, MarkovSettings
from smash.baselines.mixture import Mixture, MixtureSettings
from smash.baselines.mixture_training import MixtureEpoch, fit_mixture
from smash.baselines.poisson import Poisson, PoissonSettings
from smash.baselines.walk import Walk, WalkSettings
from smash.simulate.hawkes_fit import HawkesSettings

__all__ = [
    "Climatology",
    "ClimatologySettings",
    "Etas",
    "EtasSettings",
    "Hawkes",
    "HawkesSettings",
    "Markov",
    "MarkovSettings",
    "Mixture",
    "MixtureEpoch",
    "MixtureSettings",
    "Poisson",
    "PoissonSettings",
    "Walk",
    "WalkSettings",
    "fit_etas",
    "fit_hawkes",
    "fit_mixture",
]
