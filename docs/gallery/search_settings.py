"""What settings did in a search.

The goal of every trial against each setting.
"""

import optuna
import torch

import smash
from smash.baselines import MixtureSettings, fit_mixture
from smash.workbench.report.figures import search_slices

optuna.logging.set_verbosity(optuna.logging.WARNING)
data = smash.load_data("simulated", simulator={"sequences": (30, 10, 10)})


def goal(trial: optuna.Trial) -> float:
    units, components = (
        trial.suggest_int("units", 4, 32, log=True),
        trial.suggest_int("components", 1, 8),
    )
    settings = MixtureSettings(units=units, components=components, epochs=2)
    seed = torch.Generator().manual_seed(0)
    rival = fit_mixture(data.train, data.validation, data.n_marks, "days", seed, settings)
    return smash.evaluate(rival, data.validation, n_samples=50).figures["crps_time"]


study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
study.enqueue_trial({"units": 8, "components": 2})
study.optimize(goal, n_trials=10)
trials = study.trials_dataframe().rename(columns={"number": "trial", "value": "crps_time"})

names = {"params_units": "units", "params_components": "components"}
figure = search_slices(trials, "crps_time", "CRPS time (days)", names)
