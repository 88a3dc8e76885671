"""`smash` and what it replaced."""

import re
import subprocess
import sys

import pytest
from tiny_runs import ROOT, environment

OLD = {
    ("smash.data", "check", "--help"): "smash data check",
    ("smash.scores", "audit", "--help"): "smash data estimators",
    ("reports", "--help"): "smash report",
}


def called(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment() | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", OLD, ids=" ".join)
def test_a_command_of_the_release_before_calls_the_present_one_and_says_so(arguments):
    done = called(*arguments)
    assert done.returncode == 0, done.stderr
    assert "is now `smash" in done.stderr
    assert f"Usage: {OLD[arguments]}" in done.stdout


def test_every_command_shows_an_example_and_help_needs_no_heavy_import():
    listed = called("smash", "--help").stdout
    names = re.findall(r"^│ (\w+) ", listed, re.MULTILINE)
    assert {"run", "tune", "forecast", "data", "report", "results", "keep", "demo"} <= set(names)
    groups = {"data": "check", "results": "write", "contest": "earthquakenpp"}
    for name in set(names) - groups.keys():
        assert "Example: smash" in called("smash", name, "--help").stdout, name
    for name, command in groups.items():
        assert "Example: smash" in called("smash", name, command, "--help").stdout, name
    code = "import sys, smash.workbench.cli.app; print(sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for heavy in ("torch", "mlflow", "pandas", "numpy", "optuna", "matplotlib"):
        assert f"'{heavy}'" not in loaded
