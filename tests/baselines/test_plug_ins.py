"""A forecaster of one's own: the page's example runs; what fails is left out with the reason."""

import importlib
import re
import sys

import numpy as np
import pytest
import torch
from tiny_runs import ROOT

import smash
from smash.baseline_names import installed, unknown
from smash.baselines.plug_ins import Fitting, fit_plug_in
from smash.errors import BaselineError
from smash.settings import SimulatorSettings
from smash.simulate.simulator import simulate_dataset

PAGE = (ROOT / "docs" / "plug-ins.md").read_text()
DATA = simulate_dataset(SimulatorSettings(sequences=(20, 5, 6), events=(8, 15)))
BROKEN = """
import numpy as np
from smash.law.draws_only import DrawsOnly
from smash.law.samples import Forecast, Samples

number = 3

def raises(fitting):
    raise ZeroDivisionError("no events\\nat all")

def leaves(fitting):
    raise SystemExit("bye")

def stopped(fitting):
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise SystemExit(1)

def returns_none(fitting):
    pass

class Drawing(DrawsOnly):
    n_marks = 1
    def __init__(self, wide=False, few=False, late=False):
        self.wide, self.few, self.late = wide, few, late
    def forecast(self, sequences, n_samples, generator):
        targets = sequences.targets()
        if self.few:
            targets = targets[:-1]
        if self.late and len(sequences) > 1:
            raise RuntimeError("out of memory")
        n = len(targets)
        place = np.zeros((n, n_samples, 3 if self.wide else 2))
        place += np.random.default_rng(0).normal(size=place.shape)
        yield Forecast(targets, Samples(np.ones((n, n_samples)) + place[..., 0] ** 2, place))

def draws(fitting):
    return Drawing()

def wide(fitting):
    return Drawing(wide=True)

def few(fitting):
    return Drawing(few=True)

def late(fitting):
    return Drawing(late=True)
"""
FAULTS = {
    "broken:raises": "broken:raises: its fit failed (ZeroDivisionError: no events at all)",
    "broken:leaves": "its fit failed (SystemExit: bye)",
    "broken:returns_none": "returned a NoneType, which is no smash.law.forecaster.Forecaster",
    "broken:number": "is a int; name a function that fits",
    "broken:missing": "the module broken has no missing; check the name",
    "nowhere.at_all:fit": "the module nowhere.at_all cannot be imported (ModuleNotFoundError: No",
    "unfinished:fit": "the module unfinished cannot be imported (SyntaxError:",
    "broken:wide": "its samples' location has the shape",
    "broken:few": "events of a sequence that has",
}


def fitting(marked: bool) -> Fitting:
    data = DATA if marked else DATA.without_marks()
    return Fitting(data.train, data.validation, data.n_marks, "days", "km", seed=1)


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A folder of modules outside the tree, from which plug-ins are run."""
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "renewal.py").write_text(code)
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "unfinished.py").write_text("def fit(:")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    importlib.invalidate_caches()
    yield tmp_path
    for name in ("renewal", "broken", "unfinished"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("marked", [True, False])
def test_the_example_gives_a_law(marked, modules):
    forecaster = fit_plug_in("renewal:fit", fitting(marked))
    test = DATA.test if marked else DATA.without_marks().test
    gaps = np.geomspace(1e-7, 1e4, 20_001)
    for targets, law in forecaster.laws(test.select([0])):
        assert len(targets) == len(law)
        density = np.exp(law.time.log_density(np.tile(gaps, (len(law), 1))))
        np.testing.assert_allclose(np.trapezoid(density, gaps, axis=1), 1.0, atol=1e-3)
    figures = smash.evaluate(forecaster, test, n_samples=40).figures
    assert np.isfinite(figures["crps_time"])
    assert np.isfinite(forecaster.log_densities(test).event).all()
    empty = test.select([0, 0]).select([])
    assert len(forecaster.law_after(empty)) == 0


@pytest.mark.parametrize("name", FAULTS)
def test_a_plug_in_that_fails_says_why(name, modules):
    with pytest.raises(BaselineError) as error:
        fit_plug_in(name, fitting(False))
    assert str(error.value).startswith(name)
    assert FAULTS[name] in str(error.value)
    assert "\n" not in str(error.value)


def test_who_stops_a_run_stops_it_in_a_plug_in_too(modules):
    with pytest.raises(KeyboardInterrupt):
        fit_plug_in("broken:stopped", fitting(False))


def test_an_installed_package_offers_a_forecaster_by_name(modules, monkeypatch):
    about = modules / "renewal-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: renewal\nVersion: 1.0\n")
    [group] = re.findall(r"```toml\n\[project.entry-points.\"(.*?)\"\]\n(.*?)\n```", PAGE)
    name, target = re.fullmatch(r'(\w+) = "(.*)"', group[1]).groups()
    (about / "entry_points.txt").write_text(f"[{group[0]}]\n{name} = {target}\n")
    monkeypatch.syspath_prepend(str(modules))
    assert name in installed()
    assert unknown(name) == ""
    assert type(fit_plug_in(name, fitting(True))).__name__ == "Renewal"


def test_a_misspelled_name_is_not_taken_for_a_plug_in():
    assert "did you mean climatology?" in unknown("climatolgy")
    assert unknown("package.module:fit") == ""
    assert unknown("package.module:") != ""


def test_a_run_goes_on_without_those_that_fail(workshop, modules, monkeypatch):
    for path in modules.glob("*.py"):
        (workshop.folder / path.name).write_text(path.read_text())
    run = workshop.run(
        *("tiny.yaml", "--stage", "baselines", "--set", "baselines=[broken:raises, climatology]"),
        *("--baseline", "renewal:fit", "--baseline", "broken:late", "--baseline", "broken:draws"),
        *("--set", "marked=false"),
    )
    [found] = run.summary["runs"]
    assert set(found["figures"]) == {"climatology", "renewal:fit", "broken:draws"}
    assert np.isfinite(found["figures"]["renewal:fit"]["crps_time"])
    assert "log_loss_time" not in found["figures"]["broken:draws"]
    assert found["failures"] == {
        "broken:raises": "broken:raises: its fit failed (ZeroDivisionError: no events at all)",
        "broken:late": "broken:late: its test failed (RuntimeError: out of memory)",
    }
    experiment = run.logged.info.experiment_id
    below = workshop.client.search_runs([experiment], f"tags.compared_with = '{run.run_id}'")
    status = {each.data.tags["baseline"]: each.info.status for each in below}
    assert status["broken:raises"] == status["broken:late"] == "FAILED"
    assert status["renewal:fit"] == "FINISHED"
    failed = next(each for each in below if each.data.tags["baseline"] == "broken:late")
    assert failed.data.tags["failure"] == found["failures"]["broken:late"]
    assert run.logged.info.status == "FINISHED"


def test_seeds_draw_and_fit_alike(modules):
    first, second = (fit_plug_in("renewal:fit", fitting(True)) for _ in range(2))
    draws = [
        next(one.forecast(DATA.test, 5, torch.Generator().manual_seed(3))).samples.gap
        for one in (first, second)
    ]
    np.testing.assert_array_equal(*draws)
