"""What a finished run's description says: verdict and figures once, and all that was there."""

import made_up

from smash.workbench.report.run_note import BEGIN, described


def test_what_is_said_anew_takes_the_place_of_what_was_said():
    run = made_up.run(tags={"mlflow.note.content": "My words."})
    first = described(run, "It wins.")
    assert first.endswith("My words.")
    again = made_up.run(tags={"mlflow.note.content": f"{first}\n\nReport: [a](b)"})
    second = described(again, "It loses.")
    assert second.count(BEGIN) == 1
    assert "wins" not in second
    assert second.endswith("My words.\n\nReport: [a](b)")


def test_a_finished_run_says_verdict_and_figures(compared):
    note = compared.tags["mlflow.note.content"]
    assert "**On simulated, SMASH" in note
    assert "Against climatology" in note
    assert "| climatology |" in note
    assert f"{compared.figures['crps_time']:.3f}"[:4] in note
