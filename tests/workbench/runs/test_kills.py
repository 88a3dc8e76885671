"""Runs stopped at random moments, of one seed, of several, of baselines: whole after --resume.

`SMASH_KILLS=40 pytest tests/workbench/runs/test_kills.py -rP` tries more moments than the few of
`make test`, and says what came of each.
"""

import os
import signal
import sys

import pytest
from killed_runs import SCENARIOS, Plan, Room, Stop, check_end, check_equal, told

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


def test_a_closed_terminal_ends_a_run_as_ctrl_c_does(alone, database, tmp_path):
    room, (whole, seconds) = Room.at(tmp_path / "room", database), alone["one seed"]
    stop = Stop(signal.SIGHUP, 0.1, terminal=True)  # early: this run may be the faster one
    ended = room.started("one seed", stop=stop, seconds=seconds)
    check_end(room, stop, ended)
    assert ended.code == 128 + signal.SIGHUP
    top = room.top()
    assert top
    assert room.process("--resume", top.info.run_id).code == 0
    check_equal(room, whole)


@pytest.mark.parametrize(
    "full",
    [
        "smash.model.training:save_checkpoint",
        "smash.model.smash:Smash.save",
        "smash.workbench.tracking.tracker:Tracker._make_artifact",
        "smash.workbench.runs.samples_file:SamplesWriter.__exit__",
        "smash.workbench.runs.run_opening:_keep_spec",
    ],
)
def test_a_full_disk_ends_a_run_in_a_line_and_it_goes_on_once_there_is_room(
    full, database, tmp_path
):
    room = Room.at(tmp_path / "room", database)
    arguments = ("tiny.yaml", "--set", "total_epochs=1")
    ended = room.process(*arguments, full=full)
    assert ended.code == 2, ended.said
    assert "Traceback" not in ended.said
    *_, last = ended.said.strip().splitlines()
    assert last.startswith("error: ")
    assert "too large" in last or "cannot be written" in last  # what the limit of a test says
    top = room.top()
    assert top
    assert f"--resume {top.info.run_id}" in ended.said
    assert {run.info.status for run in room.runs().values()} <= {"FAILED", "FINISHED"}
    resumed = room.process("--resume", top.info.run_id)
    assert resumed.code == 0, resumed.said
    assert {run.info.status for run in room.runs().values()} == {"FINISHED"}
