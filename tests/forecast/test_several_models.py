"""Several models loaded at once forecast as an ensemble: one law, mixed in equal parts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_next_event import ABOUT, quakes, untrained

import smash
from smash.errors import CheckpointError


@pytest.fixture
def folders(tmp_path):
    paths = []
    for shift in (-0.3, 0.3):
        model = untrained(time_law="mixture", location_law="mixture")
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += shift * torch.randn(parameter.shape)
        model.save(tmp_path / f"seed {shift}")
        paths.append(tmp_path / f"seed {shift}")
    return paths


def test_the_law_is_the_members_laws_in_equal_parts(folders):
    together = smash.load(folders)
    apart = [smash.load(folder) for folder in folders]
    futures = together.simulate(quakes(), horizon=3.0, n_paths=40)
    events = futures.history.events
    at = np.array([[0.5, 1.0, 2.0]])
    survival = [np.exp(one.forecaster.law_after(events).log_survival(at)) for one in apart]
    assert abs(survival[0] - survival[1]).max() > 0.01
    mixed = np.exp(together.forecaster.law_after(events).log_survival(at))
    np.testing.assert_allclose(mixed, (survival[0] + survival[1]) / 2, rtol=1e-6)
    assert together.about == ABOUT
    assert futures.counts.shape == (40,)


def test_names_between_commas_are_the_same(folders):
    text = ", ".join(str(folder) for folder in folders)
    expected = smash.load(folders).next(quakes()).samples["gap"]
    assert (smash.load(text).next(quakes()).samples["gap"] == expected).all()


def test_a_folder_may_have_a_comma_in_its_name(tmp_path):
    untrained().save(tmp_path / "a, b")
    assert smash.load(tmp_path / "a, b").about == ABOUT


def test_models_of_other_data_are_refused_by_name(folders, tmp_path):
    untrained(about=replace(ABOUT, digest="other")).save(tmp_path / "other")
    with pytest.raises(CheckpointError, match="other: trained on other events"):
        smash.load([*folders, tmp_path / "other"])
    with pytest.raises(CheckpointError, match="no such file"):
        smash.load([folders[0], tmp_path / "nowhere"])


@pytest.mark.parametrize("names", [",", " , ", [], ()])
def test_no_model_at_all_is_one_error(names):
    with pytest.raises(CheckpointError, match="no model is named"):
        smash.load(names)
