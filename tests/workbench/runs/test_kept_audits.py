"""An audit that was worked out once is taken from then on, and never another's."""

import json
from dataclasses import replace

import numpy as np
import pytest

from smash.data.audit import audit
from smash.workbench.runs import cache_keys, kept_audits
from smash.workbench.runs.estimator_audit import audited
from smash.workbench.runs.kept_audits import kept_audit


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SMASH_CACHE", str(tmp_path))
    monkeypatch.setenv("SMASH_REUSE", "1")
    return tmp_path / "audits"


class Counted:
    """Works out the same again and again, and counts."""

    def __init__(self, found):
        self.found, self.times = found, 0

    def __call__(self):
        self.times += 1
        return self.found


def test_the_data_audit_is_kept_as_it_is_logged(small_dataset, cache):
    found = audit(small_dataset)
    first = Counted(found)
    logged = [kept_audit(first, "data", small_dataset) for _ in range(3)]
    assert first.times == 1
    assert logged == 3 * [json.loads(json.dumps(found))]


def test_whatever_differs_is_another_audit(small_dataset, cache):
    others = (
        replace(small_dataset, name="another"),
        replace(small_dataset, warnings=("rows were left out",)),
        replace(small_dataset, source="elsewhere.csv"),
        replace(
            small_dataset,
            test=replace(small_dataset.test, time=np.nextafter(small_dataset.test.time, np.inf)),
        ),
    )
    one = Counted(1)
    for dataset in (small_dataset, *others):
        kept_audit(one, "data", dataset)
    kept_audit(one, "estimators", small_dataset)
    assert one.times == len(others) + 2


def test_estimators_are_audited_alike_with_and_without_what_is_kept(small_dataset, cache):
    rows = [audited(small_dataset, {}, 60, 20, (0.5, 0.9)) for _ in range(2)]
    assert rows[0] == rows[1]
    assert len(list(cache.iterdir())) == 1
    assert audited(small_dataset, {}, 60, 21, (0.5, 0.9)) != rows[0]


def test_reuse_may_be_forbidden(small_dataset, cache, monkeypatch):
    monkeypatch.setenv("SMASH_REUSE", "0")
    one = Counted({"a": 1.5})
    assert [kept_audit(one, "data", small_dataset) for _ in range(2)] == 2 * [{"a": 1.5}]
    assert one.times == 2
    assert not cache.exists()


@pytest.mark.parametrize("damage", ["cut", "another's", "other", "folder"])
def test_what_is_damaged_is_worked_out_anew(small_dataset, cache, damage):
    one = Counted({"a": 1})
    kept_audit(one, "data", small_dataset)
    (path,) = cache.iterdir()
    if damage == "cut":
        path.write_text(path.read_text()[:-5])
    elif damage == "another's":
        path.write_text(json.dumps({"name": "0123.json", "audit": {"a": 2}}))
    elif damage == "other":
        path.write_text("[1]")
    else:
        path.unlink()
        path.mkdir()
    assert kept_audit(one, "data", small_dataset) == {"a": 1}
    assert one.times == 2


def test_a_cache_that_cannot_be_written_is_done_without(small_dataset, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SMASH_CACHE", str(tmp_path / "file"))
    monkeypatch.setenv("SMASH_REUSE", "1")
    assert kept_audit(Counted([1]), "data", small_dataset) == [1]


def test_the_oldest_make_room(small_dataset, cache, monkeypatch):
    monkeypatch.setattr(kept_audits, "MOST", 3)
    for number in range(5):
        kept_audit(Counted(number), number, small_dataset)
    assert len(list(cache.iterdir())) == 3


def test_other_code_is_another_audit(small_dataset, cache, monkeypatch):
    one = Counted(1)
    kept_audit(one, "data", small_dataset)
    monkeypatch.setattr(cache_keys, "_code", lambda: "of tomorrow")
    kept_audit(one, "data", small_dataset)
    assert one.times == 2
