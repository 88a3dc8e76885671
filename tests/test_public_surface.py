"""`import smash`: what it lists, that it is quick to import, and that its examples run."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import smash

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"
MODULES = (
    "smash",
    "smash.catalogue.loading",
    "smash.scores.evaluation",
    "smash.scores.forecaster_comparison",
)


def test_every_public_name_is_there_and_on_the_page():
    page = PAGE.read_text()
    for name in smash.__all__:
        assert hasattr(smash, name)
        assert name in dir(smash)
        assert f"`smash.{name}`" in page
    with pytest.raises(AttributeError, match="no attribute 'evalute'"):
        _ = smash.evalute


def test_the_import_loads_nothing_large():
    code = (
        "import sys, smash; "
        "print([name for name in ('torch', 'pandas', 'numpy', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_functions_need_no_workbench():
    code = (
        "import sys, smash; [getattr(smash, name) for name in smash.__all__]; "
        "print([name for name in ('mlflow', 'optuna', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_docstrings_run(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted
    assert not found.failed


def test_each_public_function_has_an_example():
    for name in ("load", "load_data", "evaluate", "compare"):
        assert ">>> " in getattr(smash, name).__doc__


def test_examples_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed
