"""What leaves a machine names none of its folders, and keeps what says nothing of them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smash.workbench.runs.environment import command_of
from smash.workbench.runs.portable_paths import portable_path, portable_text, portable_values

names = st.text("abcdefgh .-_0", min_size=1, max_size=9).filter(lambda name: name.strip(" ."))
folders = st.lists(names.map(lambda name: f"secret{name}"), min_size=1, max_size=4)


@pytest.mark.parametrize(
    "plain",
    [
        *("pretrained:football", "runs/0f3a/checkpoints/best", "models:/quakes@champion"),
        *("runs:/0f3a/model", "https://example.org/a/b", "0f3a", "", "and/or", "1/2", "km / day"),
        *("package.module:function", '["climatology", "seahorse:rmtpp_gmm"]', "[0, 1]"),
        "run_experiment.py experiments/crime.yaml --set seeds=[0,1,2] --summary crime.json",
    ],
)
def test_what_names_no_machine_stays_as_it_is(plain):
    assert portable_values({"key": plain}) == {"key": plain}


@given(folders, st.sampled_from(["/", "/home/", "~/", "~jane/", "C:\\", "file:///", "sqlite:////"]))
def test_a_path_of_a_machine_is_left_out_wherever_it_stands(parts, start):
    path = start + "/".join(parts)
    assert portable_values({"from": path, "seed": "1"}) == {"seed": "1"}
    command = command_of(["/opt/run_experiment.py", "a.yaml", f"--set=data.path={path}", "--quick"])
    said = portable_text(command)
    assert "secret" not in said
    assert said.startswith("run_experiment.py a.yaml ")
    assert said.endswith(" --quick")


def test_a_path_of_the_project_is_named_from_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert portable_path(str(tmp_path / "data" / "a b.csv")) == "data/a b.csv"
    assert portable_text(f"run a.yaml --from {tmp_path}/runs/1 --seed 2") == (
        "run a.yaml --from runs/1 --seed 2"
    )
    assert portable_path(str(tmp_path.parent / "other.csv")) is None
    assert portable_path("data.csv") == "data.csv"
    assert portable_path(str(Path(__file__))) == "tests/workbench/runs/test_portable_paths.py"
