"""The background queue: nothing is lost, nothing overtakes, nobody waits."""

import logging
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import HANGING

from smash.workbench.tracking import queue as writer_module
from smash.workbench.tracking.operations import (
    Artifact,
    DatasetInput,
    Metrics,
    Model,
    Params,
    Status,
    Tags,
    merge,
    read_writes,
    save_writes,
    split,
)
from smash.workbench.tracking.queue import BackgroundWriter


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(writer_module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(writer_module, "LONGEST_PAUSE", 0.01)


def metric(i):
    return Metrics("run", (("loss", float(i), i, i),))


def make(send, linger=0.0):
    return BackgroundWriter(send, lambda error: isinstance(error, ValueError), "there", linger)


entries = st.tuples(st.text(max_size=3), st.text(max_size=3))
metric_rows = st.tuples(st.text(max_size=3), st.floats(allow_nan=False), st.integers(), st.just(0))
writes = st.one_of(
    st.builds(
        Metrics,
        st.just("a"),
        st.lists(metric_rows, min_size=1).map(tuple),
        st.none() | st.just(("data", "digest")),
    ),
    st.builds(Model, *[st.text()] * 3, st.lists(entries).map(tuple), st.none() | st.text()),
    st.builds(Params, st.sampled_from("ab"), st.lists(entries, min_size=1).map(tuple)),
    st.builds(Tags, st.just("a"), st.lists(entries, min_size=1).map(tuple)),
    st.builds(Artifact, st.just("a"), st.text(), st.none() | st.text(), st.booleans()),
    st.builds(Status, st.just("a"), st.just("FAILED"), st.integers()),
    st.builds(DatasetInput, *[st.text()] * 7, tags=st.lists(entries).map(tuple)),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(writes, max_size=5))
def test_writes_come_back_from_disk(tmp_path_factory, many):
    path = tmp_path_factory.mktemp("spool") / "writes.jsonl"
    save_writes(many, path)
    assert read_writes(path) == many


@settings(max_examples=50, deadline=None)
@given(writes, writes)
def test_a_merged_write_does_what_both_do_in_one_request(first, second):
    merged = merge(first, second)
    if merged is None:
        return
    assert split(merged) == split(first) + split(second)
    assert len(merged.values) <= merged.most


def test_merging_stops_at_what_one_request_takes():
    full = Metrics("run", tuple(("loss", 0.0, i, i) for i in range(Metrics.most)))
    assert merge(full, metric(0)) is None
    assert merge(metric(0), metric(1)) == Metrics("run", (("loss", 0.0, 0, 0), ("loss", 1.0, 1, 1)))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(["metric", "tag", "artifact"]), max_size=20),
    st.lists(st.booleans(), max_size=20),
)
def test_everything_arrives_in_order_whatever_fails_on_the_way(kinds, failures):
    arrived, failures = [], list(failures)

    def send(write):
        if failures and failures.pop():
            raise ConnectionError("away")
        arrived.extend(split(write))

    makers = {
        "metric": metric,
        "tag": lambda i: Tags("run", ((str(i), ""),)),
        "artifact": lambda i: Artifact("run", str(i), None),
    }
    put = [makers[kind](i) for i, kind in enumerate(kinds)]
    queue = make(send)
    for write in put:
        queue.put(write)
    assert queue.close(HANGING) == []
    assert arrived == put


def test_metrics_of_a_few_seconds_go_in_one_request():
    sent = []
    queue = make(sent.append, linger=HANGING)
    for i in range(500):
        queue.put(metric(i))
    assert sent == []
    assert queue.drain(HANGING)
    assert len(sent) == queue.requests == 1
    assert len(sent[0].values) == 500
    queue.close(1)


def test_what_is_no_metric_does_not_linger():
    arrived = threading.Event()
    queue = make(lambda write: arrived.set(), linger=HANGING)
    queue.put(Tags("run", (("a", "b"),)))
    assert arrived.wait(HANGING)
    queue.close(1)


def test_an_outage_is_one_warning_however_long(caplog):
    attempts = []

    def send(write):
        attempts.append(write)
        if len(attempts) < 20:
            raise ConnectionError("nobody there")

    queue = make(send)
    with caplog.at_level(logging.INFO):
        for i in range(5):
            queue.put(metric(i))
            queue.put(Tags("run", ((str(i), ""),)))
        assert queue.close(HANGING) == []
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "INFO"]
    assert "there cannot be reached (nobody there)" in caplog.text


def test_a_refused_value_is_kept_and_named_and_the_rest_arrives(caplog):
    arrived = []

    def send(write):
        if any(key == "bad" for key, *_ in write.values):
            raise ValueError("no such name")
        arrived.extend(split(write))

    queue = make(send, linger=HANGING)
    bad = Metrics("run", (("bad", 1.0, 0, 0),))
    for write in (metric(0), bad, metric(1)):
        queue.put(write)
    assert queue.close(HANGING) == [bad]
    assert arrived == [metric(0), metric(1)]
    assert "refused" in caplog.text


def test_what_cannot_be_sent_in_time_comes_back_in_order():
    def send(write):
        raise ConnectionError("away")

    queue = make(send)
    put = [Artifact("run", str(i), None) for i in range(5)]
    for write in put:
        queue.put(write)
    assert queue.close(0.05) == put


def test_neither_putting_nor_closing_waits_for_a_server_that_hangs():
    release = threading.Event()
    queue = make(lambda write: release.wait(HANGING))
    put = [Artifact("run", str(i), None) for i in range(3)]
    for write in put:
        queue.put(write)
    assert not queue.drain(0.05)
    assert queue.close(0.05) == put
    release.set()


def test_ctrl_c_ends_the_waiting_and_loses_nothing(monkeypatch):
    release = threading.Event()
    queue = make(lambda write: release.wait(HANGING))
    queue.put(metric(0))

    def interrupted(deadline):
        raise KeyboardInterrupt

    monkeypatch.setattr(queue, "drain", interrupted)
    assert queue.close(HANGING) == [metric(0)]
    release.set()


def test_the_time_spent_sending_is_counted():
    queue = make(lambda write: time.sleep(0.01))
    queue.put(metric(0))
    queue.drain(HANGING)
    assert queue.seconds >= 0.01
    queue.close(1)
