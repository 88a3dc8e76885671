"""An ensemble forecasts the mixture of its members' laws."""

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from synthetic import random_sequences

from smash.baselines import Climatology
from smash.errors import SpecError
from smash.law.draws_only import DrawsOnly
from smash.law.ensemble import Ensemble
from smash.law.log_density import LogDensity, mixed_densities
from smash.law.samples import Samples


def climatology(seed: int, n_marks: int = 3) -> Climatology:
    return Climatology.fit(random_sequences([40] * 10, n_marks=n_marks, seed=seed), n_marks)


def samples_of(forecaster, sequences, n_samples=400, seed=0) -> list[Samples]:
    generator = torch.Generator().manual_seed(seed)
    return [f.samples for f in forecaster.forecast(sequences, n_samples, generator)]


def test_an_ensemble_of_equals_is_each_of_them():
    """The draws of two equal members are exchangeable with those of one."""
    one, sequences = climatology(1), random_sequences([6, 9], seed=3)
    (alone,) = samples_of(one, sequences)
    (mixed,) = samples_of(Ensemble((one, one)), sequences, seed=1)
    assert mixed.gap.shape == alone.gap.shape == (13, 400)
    for a, b in ((alone.gap, mixed.gap), (alone.location, mixed.location)):
        assert ks_2samp(a.ravel(), b.ravel()).pvalue > 1e-3
    np.testing.assert_allclose(mixed.mark_probability, alone.mark_probability)


def test_members_share_the_draws_and_the_probabilities():
    members = tuple(climatology(seed) for seed in (1, 2, 3))
    sequences = random_sequences([6, 9], seed=4)
    (mixed,) = samples_of(Ensemble(members), sequences, 10)
    alone = [samples_of(member, sequences, 3)[0].mark_probability for member in members]
    assert mixed.gap.shape == mixed.mark.shape == mixed.mark_mode.shape == (13, 10)
    assert mixed.location.shape == (13, 10, 2)
    # 3, 3 and 4 draws
    np.testing.assert_allclose(mixed.mark_probability, np.average(alone, 0, weights=[3, 3, 4]))
    np.testing.assert_allclose(mixed.mark_probability.sum(1), 1)


def test_its_densities_are_the_mean_of_its_members_densities():
    members = tuple(climatology(seed) for seed in (1, 2, 3))
    sequences = random_sequences([6, 9], seed=4)
    found = Ensemble(members).log_densities(sequences)
    alone = [member.log_densities(sequences) for member in members]
    for part in ("time", "time_mark", "event", "unmarked"):
        mean = np.mean([np.exp(getattr(one, part)) for one in alone], axis=0)
        np.testing.assert_allclose(np.exp(getattr(found, part)), mean)
    whole = found.time + found.mark + found.place
    np.testing.assert_allclose(found.event, whole)
    assert found.lacking == ""


def test_what_a_member_lacks_the_ensemble_lacks_and_says_why():
    class TimeAlone(DrawsOnly):
        n_marks = 3

        def forecast(self, sequences, n_samples, generator):
            return iter(())

        def log_densities(self, sequences):
            known = climatology(1).log_densities(sequences)
            return LogDensity(known.time, known.mark, lacking="knows no place")

    sequences = random_sequences([6, 9], seed=4)
    found = Ensemble((climatology(2), TimeAlone())).log_densities(sequences)
    assert found.event is found.place is found.unmarked is None
    assert found.time_mark is not None
    assert found.lacking == "knows no place"
    nothing = LogDensity(lacking="knows nothing")
    assert mixed_densities([nothing, found], np.full(2, 0.5)) == nothing


def test_unmarked_members_stay_unmarked():
    sequences = random_sequences([6, 9], n_marks=1, seed=4).without_marks()
    member = Climatology.fit(sequences, 1)
    (mixed,) = samples_of(Ensemble((member, member)), sequences, 10)
    assert mixed.mark is None
    assert mixed.mark_probability is None


def test_fewer_draws_than_members_are_refused():
    with pytest.raises(SpecError, match=r"sampling\.total_samples: 1 is too few for 2 forecasters"):
        samples_of(Ensemble((climatology(1), climatology(2))), random_sequences([5]), 1)
