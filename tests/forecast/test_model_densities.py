"""What a model says of densities: each part that it knows, and why the others are lacking."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from synthetic import random_sequences

from smash.data.scaling import fit_scaler
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.ensemble import Ensemble
from smash.model.smash import Smash
from smash.settings import ModelSettings, ObjectiveSettings, SamplingSettings, ScalingSettings

EVENTS = random_sequences([12, 9], n_marks=3)
SETTINGS = ModelSettings(cond_dim=8, n_layers=1, num_units=16)
DENSE = replace(SETTINGS, location_law="mixture", location_components=4)
LIKELIHOOD = ObjectiveSettings(kind="likelihood", n_noise=1, law_points=32)


def forecaster(
    settings: ModelSettings = DENSE,
    objective: ObjectiveSettings = LIKELIHOOD,
    events=EVENTS,
    n_marks: int = 3,
) -> ModelForecaster:
    torch.manual_seed(0)
    scaler = fit_scaler([events], ScalingSettings())
    model = Smash.untrained(settings, objective, events, scaler, n_marks).eval()
    with torch.no_grad():  # what starts at zero would hide what it does
        for weight in model.parameters():
            weight += 0.1 * torch.randn(weight.shape)
    return ModelForecaster(model, SamplingSettings())


@pytest.mark.parametrize("mark_in_location", [True, False])
def test_the_mark_is_summed_out_over_what_every_mark_would_have(mark_in_location):
    found = forecaster(replace(DENSE, mark_in_location=mark_in_location))
    last = EVENTS.offsets[1:] - 1
    as_marked = []
    for k in range(3):
        mark = EVENTS.mark.copy()
        mark[last] = k  # no event after it could tell
        density = found.log_densities(replace(EVENTS, mark=mark))
        of_last = np.cumsum(EVENTS.lengths - 1) - 1
        as_marked.append(density.event[of_last])
    np.testing.assert_allclose(
        density.unmarked[of_last], logsumexp(as_marked, axis=0), rtol=1e-4, atol=1e-4
    )
    places = found.log_densities(EVENTS).place
    assert np.isfinite(places).all()


def test_without_marks_the_whole_event_is_gap_and_place():
    events = EVENTS.without_marks()
    density = forecaster(events=events, n_marks=1).log_densities(events)
    assert density.mark is None
    np.testing.assert_allclose(density.unmarked, density.event, rtol=1e-6)
    np.testing.assert_allclose(density.time_mark, density.time)


def test_what_is_lacking_is_said():
    by_score = forecaster(SETTINGS).log_densities(EVENTS)
    assert by_score.place is by_score.unmarked is by_score.event is None
    assert np.isfinite(by_score.time_mark).all()
    assert "model.location_law=history" in by_score.lacking
    matched = forecaster(SETTINGS, ObjectiveSettings()).log_densities(EVENTS)
    assert matched.time is matched.event is None
    assert "objective.kind=likelihood" in matched.lacking
    assert forecaster().log_densities(EVENTS).lacking == ""


def test_an_ensemble_has_the_parts_that_all_models_have():
    whole, by_score = forecaster(), forecaster(SETTINGS)
    found = Ensemble((whole, by_score)).log_densities(EVENTS)
    assert found.event is None
    assert found.lacking == by_score.log_densities(EVENTS).lacking
    same = Ensemble((whole, whole)).log_densities(EVENTS)
    np.testing.assert_allclose(same.event, whole.log_densities(EVENTS).event)
