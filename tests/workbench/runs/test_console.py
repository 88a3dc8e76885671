"""What long work says where there is no terminal."""

import io

from rich.console import Console

from smash.workbench.runs import console


def test_long_sampling_says_a_line_now_and_then_without_a_terminal(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=out, width=80))
    now = iter([0.0, 59.0, 61.0, 62.0, 130.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    with console.sampling_progress("sampling", 100) as bar:
        for _ in range(4):
            bar.advance(20)
    said = [line for line in out.getvalue().splitlines() if "━" not in line and line.strip()]
    assert [line.partition(",")[0] for line in said] == ["sampling 40 %", "sampling 80 %"]


def test_on_a_terminal_the_bar_says_it_all(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=out, width=80, force_terminal=True))
    monkeypatch.setattr(console, "SAY_EVERY", 0.0)
    with console.sampling_progress("sampling", 100) as bar:
        bar.advance(50)
    assert "sampling 50 %" not in out.getvalue()
    assert "50%" in out.getvalue()
