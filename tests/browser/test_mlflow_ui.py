"""`mlflow ui`, without a flag, shows the runs: looked at through headless Chromium.

With SMASH_SCREENSHOTS set to a folder, what was looked at is kept there as pictures.
"""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from patience import HANGING
from tiny_runs import (
    CHROMIUM,
    Outcome,
    Workshop,
    environment,
    find_program,
)

pytestmark = pytest.mark.browser

PATIENCE = 1000 * HANGING
"""Milliseconds for a page to show what is waited for, on a busy machine."""


@dataclass(frozen=True)
class Served:
    """The address at which two runs are shown."""

    url: str
    experiment: str
    runs: tuple[Outcome, Outcome]


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine; install it to look at MLflow's pages")
    workshop = Workshop.at(tmp_path_factory.mktemp("served"))
    once = ("tiny.yaml", "--set", "total_epochs=1")
    compared = (*once, "--set", "baselines=[climatology]")
    runs = (workshop.run(*compared, draw=True), workshop.run(*once, "--seed", "6"))
    with mlflow_ui(workshop.folder) as url:
        yield Served(url, runs[0].logged.info.experiment_id, runs)


@contextmanager
def mlflow_ui(folder: Path) -> Iterator[str]:
    """Yields the address of `mlflow ui` started in a folder; ends all its processes."""
    program, port = find_program("mlflow"), free_port()
    assert program
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [program, "ui"],
            cwd=folder,
            env=environment() | {"MLFLOW_PORT": str(port), "MLFLOW_WORKERS": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, process, folder / "server.log")
        yield url
    finally:
        end(process)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    last = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < last and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"mlflow ui does not answer: {log.read_text()[-2000:]}")


def end(process: subprocess.Popen) -> None:
    """Ends a server and every process it started."""
    family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    os.killpg(process.pid, signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=60)
    for each in alive:
        each.kill()
    process.wait(timeout=HANGING)


@pytest.fixture
def page(served, browser):
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(PATIENCE)
    yield page
    page.close()


def look(page, name: str) -> None:
    """Keeps a picture of the page where pictures are wanted."""
    if folder := os.environ.get("SMASH_SCREENSHOTS"):
        page.wait_for_timeout(1500)  # let what fades in be there
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_the_list_shows_both_runs(served, page):
    page.goto(f"{served.url}/#/experiments/{served.experiment}/runs")
    for run in served.runs:
        page.wait_for_selector(f'a[href*="/runs/{run.run_id}"]')
        name = run.logged.info.run_name
        assert page.get_by_text(name, exact=True).first.is_visible()
    look(page, "runs")


def test_a_run_says_what_it_found(served, page):
    run = served.runs[0]
    page.goto(f"{served.url}/#/experiments/{served.experiment}/runs/{run.run_id}")
    verdict = page.get_by_text("On simulated, SMASH, score matching").first
    verdict.scroll_into_view_if_needed()
    page.get_by_text("Show more", exact=True).first.click()
    look(page, "run")
    rows = [
        row.inner_text().split("\t") for row in page.locator("table:has(th:text('CRPS')) tr").all()
    ]
    figures = {row[0]: row[1:] for row in rows}
    assert figures.keys() >= {"forecaster", "SMASH, score matching", "climatology"}
    shown = float(figures["SMASH, score matching"][0])
    assert shown == pytest.approx(run.figures["crps_time"], rel=1e-3)
    assert "end of verdict" not in page.inner_text("body")


def test_models_stand_with_their_data_and_figures(served, browser):
    page = browser.new_page(viewport={"width": 3000, "height": 900})
    page.set_default_timeout(PATIENCE)
    page.goto(f"{served.url}/#/experiments/{served.experiment}/models")
    for name in ("tiny-seed-5", "tiny-seed-6", "climatology-seed-5"):
        page.wait_for_selector(f"text={name}")
    page.wait_for_selector("text=/simulated/")
    page.get_by_text("Model training", exact=True).click()  # else they are called agents' versions
    page.wait_for_selector("text=/^Models$/")
    page.goto(f"{served.url}/#/experiments/{served.experiment}/models")
    page.wait_for_selector("text=tiny-seed-5")
    look(page, "models")
    page.get_by_text("tiny-seed-5", exact=True).first.click()
    page.wait_for_selector("text=Datasets used")
    page.get_by_placeholder("Search metrics").fill("test/crps_time")
    row = page.get_by_role("row").filter(has_text="test/crps_time").first
    row.scroll_into_view_if_needed()
    look(page, "model")
    for text in ("simulated", "tiny seed 5", str(served.runs[0].figures["crps_time"])[:8]):
        assert text in row.inner_text()
    page.close()


def test_two_runs_are_compared_by_their_scores(served, page):
    ids = ",".join(f"%22{run.run_id}%22" for run in served.runs)
    experiment = f"%22{served.experiment}%22"
    page.goto(f"{served.url}/#/compare-runs?runs=[{ids}]&experiments=[{experiment}]")
    scroll_to(page, "test/crps_time", within="best/validation_loss")
    look(page, "comparison")
    shown = page.inner_text("body").split()
    for run in served.runs:
        assert f"{run.figures['crps_time']:.3f}".rstrip("0") in shown


def scroll_to(page, text: str, within: str) -> None:
    """Turns the wheel over a list that holds only what is in sight, until `text` is."""
    start = page.get_by_text(within, exact=True).last
    start.scroll_into_view_if_needed()
    place = start.bounding_box()
    page.mouse.move(place["x"] + 500, place["y"])  # over the values, which the names follow
    for _ in range(200):
        found = page.get_by_text(text, exact=True)
        box = found.bounding_box() if found.count() else None
        if box and place["y"] <= box["y"] < place["y"] + 200:
            return
        page.mouse.wheel(0, 100)
        page.wait_for_timeout(50)
    pytest.fail(f"{text} is not in the list")


def test_a_figure_of_a_run_is_displayed(served, page):
    run = served.runs[0]
    page.goto(
        f"{served.url}/#/experiments/{served.experiment}/runs/{run.run_id}"
        "/artifacts/figures/coverage.png"
    )
    page.wait_for_function(
        "[...document.images].some(i => i.complete && i.naturalWidth > 400 && i.width > 100)"
    )
    look(page, "figure")
