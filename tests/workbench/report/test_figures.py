"""Figures of a report: what they draw, and how they are put into a page."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from smash.workbench.report import figures
from smash.workbench.report.figures import plain_label
from smash.workbench.report.pitch import LENGTH, WIDTH, draw_pitch
from smash.workbench.report.svg import inline, to_svg


@pytest.fixture(scope="module")
def scored():
    generator = np.random.default_rng(5)
    n = 4000
    confidence = generator.uniform(0.4, 1.0, n)
    right = generator.random(n) < confidence
    return pd.DataFrame(
        {
            "gap": generator.random(n),
            "x": generator.random(n),
            "y": generator.random(n),
            "pit_time": generator.random(n),
            "region_level": generator.random(n) ** 2,
            "mark": 1,
            "mark_predicted": right.astype(int),
            "mark_confidence": confidence,
        }
    )


def heights(panel):
    return next(patch for patch in panel.patches if hasattr(patch, "get_data")).get_data().values


def test_uniform_ranks_are_flat_and_small_ones_are_not(scored):
    panels = figures.pit_histograms({"a": scored}).axes
    assert np.abs(heights(panels[0]) - 1).max() < 0.3
    assert heights(panels[1])[0] > 3
    for panel in panels:
        assert heights(panel).mean() == pytest.approx(1)


def test_honest_probabilities_lie_on_the_diagonal(scored):
    panel = figures.reliability_diagram({"a": scored}).axes[0]
    x, y = panel.lines[1].get_data()
    assert np.abs(x - y).max() < 0.06


def test_forecasts_without_marks_have_no_reliability(scored):
    unmarked = scored.drop(columns=["mark", "mark_predicted", "mark_confidence"])
    assert figures.reliability_diagram({"a": unmarked}) is None


@pytest.mark.parametrize("upwards", [False, True])
def test_the_best_so_far_never_gets_worse(upwards):
    values = [3.0, 1.0, 2.0, 0.5, 4.0]
    trials = pd.DataFrame({"trial": range(5), "goal": values, "published": [True] + 4 * [False]})
    best = figures.search_history(trials, "goal", "goal", upwards).axes[0].lines[1].get_ydata()
    assert list(best) == ([3, 3, 3, 3, 4] if upwards else [3, 1, 1, 0.5, 0.5])


def test_a_pitch_has_the_proportions_of_one():
    panel = Figure().subplots()
    draw_pitch(panel)
    assert panel.get_aspect() == pytest.approx(WIDTH / LENGTH)
    ends = [patch.get_extents().bounds for patch in panel.patches]
    assert len(ends) == 3 + 2 * 3


@pytest.mark.parametrize("name", ["$\\frac$ $x$", "_hidden", "a\nb", "x" * 100, "<b>&--"])
def test_any_name_can_label_a_curve(name):
    figure = Figure()
    panel = figure.subplots()
    panel.plot([0, 1], [0, 1], label=plain_label(name))
    assert len(panel.legend().texts) == 1
    assert "<b>" not in to_svg(figure, "key")


def test_svg_is_the_same_again_and_its_ids_are_the_figures_own():
    def drawn():
        figure = Figure()
        figure.subplots().plot([0, 1], [0, 1])
        return to_svg(figure, "one")

    assert drawn() == drawn()
    element = inline(drawn(), "one", "label")
    assert all(found.startswith("one-") for found in re.findall(r'\bid="([^"]*)"', element))
    assert "http" not in element
    assert "#262626" not in element
    assert "var(--ink)" in element
