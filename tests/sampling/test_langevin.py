"""The published chain: against a law known in closed form, and against its own bookkeeping."""

from dataclasses import replace

import pytest
import torch
from known_law import KnownLaw

from smash.forecast.model_forecaster import ModelForecaster
from smash.sampling.chains import draw_marks
from smash.sampling.langevin import sample_langevin
from smash.settings import SamplingSettings

PUBLISHED = SamplingSettings(sampler="langevin", denoise="tweedie", location_steps=200)
SETTINGS = replace(
    PUBLISHED,
    langevin_step=0.002,
    sampling_steps=600,
    per_step=200,
    n_samples=500,
    total_samples=2000,
)
SIGMA = torch.tensor([0.05, 0.05, 0.05])


def run(settings: SamplingSettings, events: int = 2):
    generator = torch.Generator().manual_seed(3)
    return list(sample_langevin(KnownLaw(), torch.zeros(events, 4), SIGMA, settings, generator))


def test_the_chain_reaches_the_known_law():
    *_, last = run(replace(SETTINGS, denoise="none"))
    z, mark, probability = last.chains
    gap = z[..., 0] + 1
    assert gap.mean().item() == pytest.approx(0.25, rel=0.1)
    assert z[..., 1:].mean().item() == pytest.approx(0.1, abs=0.02)
    assert z[..., 1:].std().item() == pytest.approx(0.2, rel=0.05)
    assert (mark == 1).double().mean().item() == pytest.approx(0.25, abs=0.03)
    torch.testing.assert_close(probability[0, 0], torch.tensor([0.75, 0.25]))


def test_blocks_end_at_the_asked_steps_and_only_the_last_is_final():
    blocks = run(replace(SETTINGS, sampling_steps=500, total_samples=20, n_samples=7))
    assert [(block.step, block.final) for block in blocks] == [
        (200, False),
        (400, False),
        (500, True),
    ]


def test_tweedie_moves_time_by_sigma_squared_times_the_score():
    settings = replace(
        SETTINGS, sampling_steps=50, per_step=50, location_steps=0, total_samples=500
    )
    (plain,) = run(replace(settings, denoise="none"), events=1)
    (denoised,) = run(settings, events=1)
    moved = plain.chains.z[..., 0] - SIGMA[0] ** 2 * 4.0
    torch.testing.assert_close(denoised.chains.z[..., 0], moved.clamp(-1, 1))


def test_chains_stay_inside_the_unit_box_before_and_after_denoising():
    for block in run(replace(SETTINGS, sampling_steps=100, per_step=50)):
        assert block.chains.z.abs().max() <= 1


def test_marks_are_drawn_from_their_probabilities():
    probability = torch.tensor([0.2, 0.5, 0.3]).expand(200, 100, 3)
    marks = draw_marks(probability, torch.Generator().manual_seed(0))
    frequency = torch.bincount(marks.flatten(), minlength=3) / marks.numel()
    torch.testing.assert_close(frequency, probability[0, 0], rtol=0, atol=0.01)
    certain = torch.tensor([0.0, 1.0, 0.0]).expand(5, 7, 3)
    assert (draw_marks(certain, torch.Generator()) == 1).all()


FAST = replace(PUBLISHED, sampling_steps=6, per_step=3, n_samples=4, total_samples=10)


def test_a_forecast_covers_every_target_once_in_raw_units(small_model, small_dataset):
    data = small_dataset.test if small_model.marked else small_dataset.without_marks().test
    forecaster = ModelForecaster(small_model, replace(FAST, test_batch_size=2))
    final = [f for f in forecaster.forecast(data, 10, torch.Generator().manual_seed(0)) if f.final]
    targets = data.targets()
    found = [
        (s, e) for f in final for s, e in zip(f.targets.sequence, f.targets.event, strict=True)
    ]
    assert found == list(zip(targets.sequence, targets.event, strict=True))
    for forecast in final:
        assert forecast.samples.gap.shape == (len(forecast.targets), 10)
        assert (forecast.samples.gap > 0).all()
        assert forecast.samples.location.shape == (len(forecast.targets), 10, 2)
        if small_model.marked:
            assert forecast.samples.mark.shape == (len(forecast.targets), 10)
            assert forecast.samples.mark_probability.sum(1) == pytest.approx(1)


def test_a_forecast_repeats_with_its_seed(small_model, small_dataset):
    data = small_dataset.test if small_model.marked else small_dataset.without_marks().test
    forecaster = ModelForecaster(small_model, FAST)

    def gaps():
        forecasts = forecaster.forecast(data, 10, torch.Generator().manual_seed(1))
        return [f.samples.gap for f in forecasts]

    for a, b in zip(gaps(), gaps(), strict=True):
        assert (a == b).all()


def test_progress_counts_every_sample_step(small_model, small_dataset):
    data = small_dataset.test if small_model.marked else small_dataset.without_marks().test
    steps: list[int] = []
    forecaster = ModelForecaster(small_model, FAST, steps.append)
    list(forecaster.forecast(data, 10, torch.Generator()))
    n_targets = len(data.targets())
    assert sum(steps) == n_targets * 10 * forecaster.steps_a_draw
