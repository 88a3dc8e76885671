"""A few altered files of every kind; `python tests/fuzz.py` alters thousands."""

import fuzz
import pytest
from fuzzing import readings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return readings.make_base(tmp_path_factory.mktemp("fuzz") / "base")


@pytest.mark.parametrize("kind", fuzz.KINDS)
@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10**9))
def test_an_altered_file_is_read_or_refused_in_bounded_time_and_memory(kind, seed, base):
    ending = fuzz.run_case(kind, seed, base)
    assert not ending.is_fault, ending.message


@pytest.mark.parametrize("kind", [kind for kind in fuzz.KINDS if kind != "anything"])
def test_an_unaltered_file_is_read(kind, base, tmp_path):
    _, read = fuzz.KINDS[kind]
    read(base)
