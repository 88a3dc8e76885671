"""Trying a forecaster: every target is scored once, blocks apart, in bounded memory."""

import weakref
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import random_sequences

from smash.data.events import spread_subset
from smash.law.draws_only import DrawsOnly
from smash.law.log_density import LogDensity
from smash.law.samples import Forecast, Samples
from smash.scores import summarise
from smash.scores.evaluation import scales_of, score_forecasts
from smash.settings import ScoreSettings
from smash.workbench.runs.drawn_forecasts import DRAWN_EVENTS, ShownForecasts

LENGTHS = [7, 2, 9, 4, 3]
SCORES = ScoreSettings(original=False)


@dataclass
class Guesser(DrawsOnly):
    """Forecasts a batch of sequences at a time, its draws depending on the event alone."""

    n_marks = 1
    batch: int = 2
    steps: tuple[int, ...] = ()
    alive: list[int] = field(default_factory=list)

    def forecast(self, sequences, n_samples, generator):
        known = []
        for start in range(0, len(sequences), self.batch):
            indices = range(start, min(start + self.batch, len(sequences)))
            targets = sequences.select(indices).targets()
            targets = replace(targets, sequence=targets.sequence + start)
            for step in (*self.steps, 100):
                self.alive.append(sum(samples() is not None for samples in known))
                samples = draws(targets, n_samples, step)
                known.append(weakref.ref(samples))
                yield Forecast(targets, samples, step, step == 100)

    def log_densities(self, sequences):
        return LogDensity(lacking="it guesses")


def draws(targets, n_samples, step):
    gap, location = [], []
    for sequence, event in zip(targets.sequence, targets.event, strict=True):
        rng = np.random.default_rng([sequence, event, step])
        gap.append(rng.lognormal(size=n_samples))
        location.append(rng.normal(size=(n_samples, 2)))
    return Samples(np.stack(gap), np.stack(location))


@pytest.fixture(scope="module")
def sequences():
    return random_sequences(LENGTHS, n_marks=1)


def tried(guesser, sequences, **options):
    return score_forecasts(guesser, sequences, 6, SCORES, torch.Generator(), **options)


def test_every_target_is_scored_once_and_in_order(sequences):
    kept = []
    evaluation = tried(Guesser(steps=(10, 20)), sequences, keep=kept.append)
    targets = sequences.targets()
    for name in ("sequence", "event", "gap"):
        np.testing.assert_array_equal(evaluation.table[name], getattr(targets, name))
        parts = [getattr(forecast.targets, name) for forecast in kept]
        np.testing.assert_array_equal(np.concatenate(parts), getattr(targets, name))
    assert sorted(evaluation.blocks) == [10, 20]
    for table in evaluation.blocks.values():
        np.testing.assert_array_equal(table["gap"], targets.gap)


def test_figures_are_those_of_the_table_at_every_step(sequences):
    evaluation = tried(Guesser(steps=(10,)), sequences)
    assert evaluation.figures == summarise(evaluation.table, SCORES.levels)
    blocks = evaluation.block_figures
    assert list(blocks) == [10, 100]
    assert blocks[10] == summarise(evaluation.blocks[10], SCORES.levels)
    assert blocks[100] == evaluation.figures


def test_a_forecaster_without_blocks_has_none(sequences):
    assert tried(Guesser(), sequences).block_figures == {}


def test_scores_do_not_depend_on_how_many_blocks_are_scored(sequences):
    one, many = (tried(Guesser(steps=steps), sequences) for steps in ((), (10, 20, 30)))
    assert one.table.equals(many.table)
    assert one.figures == many.figures


def test_samples_are_let_go_batch_by_batch(sequences):
    guesser = Guesser(batch=1, steps=(10, 20))
    tried(guesser, sequences)
    assert len(guesser.alive) == 3 * len(LENGTHS)
    assert max(guesser.alive) <= 2


def test_every_block_and_batch_is_timed(sequences):
    timings = tried(Guesser(steps=(10,)), sequences).timings
    assert timings["batch"].tolist() == [0, 0, 1, 1, 2, 2]
    assert timings["step"].tolist() == [10, 100] * 3
    finished = timings[timings["step"] == 100]
    assert finished["events"].sum() == sequences.is_target.sum()
    assert (timings["samples"] == 6 * timings["events"]).all()
    assert (timings["seconds"] > 0).all()


@given(st.integers(1, 20), st.integers(0, 25))
def test_a_subset_is_spread_over_all_sequences(n_sequences, most):
    sequences = random_sequences([2 + i for i in range(n_sequences)])
    subset = spread_subset(sequences, most)
    chosen = subset.lengths - 2
    assert len(chosen) == (min(most, n_sequences) if most else n_sequences)
    assert (np.diff(chosen) > 0).all()
    assert chosen[0] == 0
    if len(chosen) > 1:
        assert chosen[-1] == n_sequences - 1
        assert np.ptp(np.diff(chosen)) <= 1


def test_scales_leave_out_the_gaps_before_first_events(sequences):
    targets = sequences.targets()
    expected = (targets.gap.std(), *sequences.location.std(axis=0))
    assert scales_of(sequences) == pytest.approx(expected)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_the_drawn_events_do_not_depend_on_batches(sequences, small_dataset, batch):
    shown = ShownForecasts(sequences)
    for forecast in Guesser(batch).forecast(sequences, 6, torch.Generator()):
        shown.add(forecast)
    titles = [axis.get_title(loc="left") for axis in shown.draw(small_dataset).axes[::2]]
    whole = sequences.targets()
    rows = np.linspace(0, len(whole) - 1, DRAWN_EVENTS + 2)[1:-1].round().astype(int)
    assert titles == [f"Sequence {whole.sequence[i]}, event {whole.event[i]}" for i in rows]
