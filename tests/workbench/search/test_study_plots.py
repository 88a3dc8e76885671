"""Plots of a study can be read, whatever its keys are called."""

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from smash.workbench.search.study_plots import PLOTS, plots

SPACE: dict[str, BaseDistribution] = {
    "model.cond_dim": CategoricalDistribution((16, 32)),
    "model.sigma_time": FloatDistribution(0.03, 0.6, log=True),
    "sampling.langevin_step": FloatDistribution(3e-4, 0.02, log=True),
}


@pytest.fixture(scope="module")
def drawn():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(8):
        trial = study.ask(SPACE)
        study.tell(trial, number % 3 + trial.params["model.sigma_time"])
    return dict(plots(study, ["relative_score"]))


def test_all_plots_are_drawn(drawn):
    assert drawn.keys() == PLOTS.keys()


def test_keys_are_named_by_their_last_part(drawn):
    for figure in drawn.values():
        for axes in figure.axes:
            ticks = [*axes.get_xticklabels(), *axes.get_yticklabels()]
            texts = [axes.get_xlabel(), axes.get_ylabel(), *(tick.get_text() for tick in ticks)]
            assert not [text for text in texts if text.startswith(("model.", "sampling."))]


def test_panels_of_a_table_are_named_once_at_its_edge(drawn):
    panels = drawn["contour"].axes[:9]
    names = ["cond_dim", "sigma_time", "langevin_step"]
    assert [axes.get_xlabel() for axes in panels] == [*[""] * 6, *names]
    assert [axes.get_ylabel() for axes in panels] == [
        names[0],
        "",
        "",
        names[1],
        "",
        "",
        names[2],
        "",
        "",
    ]


def test_logarithmic_axes_bear_plain_numbers(drawn):
    drawn["slice"].draw_without_rendering()
    axes = next(axes for axes in drawn["slice"].axes if axes.get_xlabel() == "sigma_time")
    assert {"0.05", "0.1", "0.2"} <= {label.get_text() for label in axes.get_xticklabels()}
