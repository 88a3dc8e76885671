"""Figures say what they show, and leave no trace in pyplot."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.contour import QuadContourSet

from smash.data.events import Targets
from smash.law.samples import Samples
from smash.plots import diagnostics
from smash.scores import score_events
from smash.settings import ScoreSettings

N, S = 12, 40


def forecast(marked=True, spread=1.0):
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.ones(3), N) if marked else None
    location = spread * rng.normal(size=(N, S, 2))
    samples = Samples(spread * rng.exponential(size=(N, S)), location, None, None, probability)
    mark = rng.integers(0, 3, N) if marked else None
    order = np.arange(N)
    truth = rng.exponential(size=N), rng.normal(size=(N, 2))
    return samples, Targets(order, order, order * 1.0, *truth, mark)


def scores(original=True):
    settings = ScoreSettings(original=original)
    return score_events(*forecast(), settings, torch.Generator().manual_seed(0))


def history(marked=True):
    epoch = np.arange(1, 21)
    table = pd.DataFrame({"epoch": epoch, "loss": 1 / epoch, "learning_rate": 1e-3 / epoch})
    table["loss_time"] = table["loss_location"] = table["loss"] / 3
    table["loss_mark"] = 0.1 if marked else np.nan
    table["validation_loss"] = np.where(epoch % 10 == 0, 1 / epoch, np.nan)
    return table


FIGURES = {
    "coverage": lambda: diagnostics.coverage_curve(scores()),
    "coverage of two": lambda: diagnostics.coverage_curve({"a": scores(), "b": scores(False)}),
    "coverage error": lambda: diagnostics.coverage_error(scores(False)),
    "densities": lambda: diagnostics.forecast_densities(
        *forecast(), [0, 3], history=[np.zeros((0, 2)), np.ones((3, 2))], time_unit="hours"
    ),
    "densities without marks": lambda: diagnostics.forecast_densities(*forecast(False), [1]),
    "densities of equal samples": lambda: diagnostics.forecast_densities(
        *forecast(spread=0.0), [1]
    ),
    "training": lambda: diagnostics.training_curves(history()),
    "training without marks": lambda: diagnostics.training_curves(history(marked=False)),
    "training of one epoch": lambda: diagnostics.training_curves(history().head(1)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_labelled_drawn_and_leave_pyplot_alone(name, tmp_path):
    before = plt.get_fignums(), dict(plt.rcParams)
    figure = FIGURES[name]()
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 0
    assert all(axis.get_xlabel() for axis in figure.axes)
    assert figure.axes[0].get_ylabel()
    assert (plt.get_fignums(), dict(plt.rcParams)) == before


def test_a_region_ends_at_the_edge_of_its_panel_if_it_has_to():
    samples, targets = forecast()
    few = samples.location[:, :8]  # whose density reaches far beyond them
    samples = Samples(samples.gap[:, :8], few, None, None, samples.mark_probability)
    history = [np.array([[-20.0, 0.0], [3.0, -9.0]])]
    _, panel = diagnostics.forecast_densities(samples, targets, [0], history=history).axes
    lines = [c for c in panel.collections if isinstance(c, QuadContourSet) and not c.filled]
    assert lines
    edges = np.transpose([panel.get_xlim(), panel.get_ylim()])
    for path in (path for line in lines for path in line.get_paths()):
        for part in path.to_polygons(closed_only=False):
            closed = np.allclose(part[0], part[-1])
            assert closed or all(np.isclose(end, edges).any() for end in part[[0, -1]])


def test_units_stand_on_the_axes():
    figure = diagnostics.forecast_densities(
        *forecast(), [0], time_unit="days", location_unit="km", location_names=("east", "north")
    )
    gap, location = figure.axes
    assert "days" in gap.get_xlabel()
    assert (location.get_xlabel(), location.get_ylabel()) == ("east (km)", "north (km)")
