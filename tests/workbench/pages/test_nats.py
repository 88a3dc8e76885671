"""Every cell of the table of all forecasters holds finite nats, or says why there are none."""

import pytest
from made_up import run

from smash.workbench.pages import nats_table as page
from smash.workbench.pages.nats_table import PARTS, nats_table
from smash.workbench.report.run_groups import arrange

LIKELIHOOD = {"objective.kind": "likelihood"}
WHOLE = {part: float(i) for i, part in enumerate(PARTS, 1)}


def cells(*runs):
    (row,) = [row.values for row in nats_table(arrange(runs)).rows]
    return [row[part] for part in PARTS]


def test_a_forecaster_with_all_parts_shows_their_means():
    found = cells(run(seed=1, **WHOLE), run(seed=2, **WHOLE))
    assert [value.mean for value in found] == list(WHOLE.values())
    assert [value.sd for value in found] == [0.0] * len(PARTS)


@pytest.mark.parametrize(
    ("recorded", "reasons"),
    [
        (run(), [page.MATCHED] * 5),
        (run(params=LIKELIHOOD), [page.TOO_OLD] * 2 + [page.SCORED_PLACES] * 3),
        (run(params=LIKELIHOOD | {"model.location_law": "history"}), [page.TOO_OLD] * 5),
        (run("c", "climatology"), [page.TOO_OLD] * 5),
        (run(tags={"pool": "model, walk", "lacking": "no law"}), [page.OTHER] * 5),
    ],
    ids=["score matching", "places by score", "history", "baseline", "pool"],
)
def test_an_empty_cell_says_why(recorded, reasons):
    assert cells(recorded) == reasons


def test_what_is_lacking_is_said_below_the_table():
    pool = run(tags={"pool": "model, walk", "lacking": "no law"})
    assert any(note.endswith("no law.") for note in nats_table(arrange([pool])).notes)
    assert not any("no law" in note for note in nats_table(arrange([run()])).notes)


def test_parts_of_older_records_are_differences_of_their_sums():
    sums = {"time_log_loss": 1.0, "time_mark_log_loss": 1.5, "event_log_loss": 4.0}
    time, mark, place, event, unmarked = cells(run("m", "mixture", **sums))
    assert (time.mean, mark.mean, place.mean, event.mean) == (1.0, 0.5, 2.5, 4.0)
    assert unmarked == page.TOO_OLD


def test_a_part_of_zero_nats_is_not_taken_for_missing():
    assert cells(run(**WHOLE | {"place_log_loss": 0.0}))[2].mean == 0.0


def test_unmarked_data_have_no_nats_of_marks():
    unmarked = run(params={**LIKELIHOOD, "model.location_law": "mixture"}, time_log_loss=1.0)
    del unmarked.metrics["test/accuracy"]
    assert cells(unmarked)[1] == page.UNMARKED


def test_without_runs_there_is_no_table():
    assert nats_table([]) is None
