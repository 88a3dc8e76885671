"""The samplers and pruners a study can name."""

import warnings

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import (
    BaseSampler,
    GPSampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)

from smash.workbench.search.study_spec import PruningSettings, SearchSettings


def make_sampler(settings: SearchSettings, n_trials: int) -> BaseSampler:
    """Returns the sampler of the trial after `n_trials` others.

    It is a new one each time, seeded by the study and the number of trials: workers draw apart
    from each other, and the same trials are followed by the same one. A grid is queued whole, so
    its sampler draws nothing.
    """
    seed = int(np.random.SeedSequence([settings.seed, n_trials]).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        match settings.sampler:
            case "tpe":
                # Running trials count as bad ones, so that workers do not crowd one place.
                return TPESampler(seed=seed, n_startup_trials=settings.startup, constant_liar=True)
            case "gp":
                return GPSampler(seed=seed, n_startup_trials=settings.startup)
            case "nsga2":
                return NSGAIISampler(seed=seed, population_size=settings.startup)
            case _:
                return RandomSampler(seed=seed)


def make_pruner(settings: PruningSettings, total_epochs: int) -> BasePruner:
    """Returns the pruner of trainings of `total_epochs` epochs."""
    match settings.pruner:
        case "median":
            return MedianPruner(settings.min_trials, n_warmup_steps=settings.min_epochs)
        case "hyperband":
            return HyperbandPruner(min(settings.min_epochs, total_epochs), total_epochs)
        case _:
            return NopPruner()


def silence() -> None:
    """Keeps Optuna's lines, one a trial, from the screen; warnings still come through."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
