"""Runs stopped at random moments, of one seed, of several, of baselines: whole after --resume.

`SMASH_KILLS=40 pytest tests/experiments/test_kills.py -rP` tries more moments than the few of
`make test`, and says what came of each.
"""

import os
import sys

import pytest
from killed_runs import SCENARIOS, Plan, Room, told

KILLS = int(os.environ.get("SMASH_KILLS", "3"))
pytestmark = pytest.mark.timeout(7200)


@pytest.fixture(scope="module")
def database(uri):
    return uri.removeprefix("sqlite:///")


@pytest.fixture(scope="module")
def alone(database, tmp_path_factory):
    """Each scenario as it is when nothing stops it, with the seconds that it takes."""
    rooms = {}
    for scenario in SCENARIOS:
        room = Room.at(tmp_path_factory.mktemp("alone") / "room", database)
        ended = room.started(scenario)
        assert ended.code == 0, ended.said
        rooms[scenario] = (room, ended.seconds)
    return rooms


@pytest.mark.parametrize("number", range(KILLS))
def test_a_run_is_whole_whenever_it_was_stopped(number, alone, database, tmp_path):
    plan = Plan.drawn(number)
    story = told(plan, Room.at(tmp_path / "room", database), *alone[plan.scenario])
    sys.stdout.write(f"{number} {story}\n")
