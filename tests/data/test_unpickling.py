"""A data pickle gives back data; a hostile one runs nothing and is named in the error."""

import codecs
import contextlib
import functools
import importlib
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smash.data.pickles import pickle_events
from smash.data.unpickling import load_pickle
from smash.errors import DataError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Call:
    """Pickles as the call of a function: what every attack is made of."""

    def __init__(self, function, *args, state=None):
        self.reduced = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.reduced


def touch(canary: Path) -> str:
    return f"open({str(canary)!r}, 'w').close()"


def in_an_object_array(canary: Path) -> bytes:
    array = np.empty(2, dtype=object)
    array[:] = [[1.0, 2.0, 3.0], Call(eval, touch(canary))]
    return pickle.dumps(array)


def through_getattr(canary: Path) -> bytes:
    module = Call(importlib.import_module, "os")
    system = Call(getattr, module, "system")
    return pickle.dumps(Call(functools.partial, system, f"touch {canary}"))


def numpy_load(canary: Path) -> bytes:
    inner = canary.with_suffix(".npy")
    np.save(inner, np.array([Call(eval, touch(canary))], dtype=object), allow_pickle=True)
    return pickle.dumps(Call(np.load, str(inner), None, True))


def by_state(canary: Path) -> bytes:
    """A partial of `len` whose state makes it call `os.system` instead."""
    command = str(canary).encode()
    return (
        b"cfunctools\npartial\n(cbuiltins\nlen\ntR"
        b"(cos\nsystem\n(S'touch " + command + b"'\nt}Ntb)R."
    )


def dotted(canary: Path) -> bytes:
    name = b"os.system"
    command = f"touch {canary}".encode()
    return (
        b"\x80\x04\x8c\x06shutil\x8c" + bytes([len(name)]) + name + b"\x93"
        b"\x8c" + bytes([len(command)]) + command + b"\x85R."
    )


# Name → (bytes of the pickle, what its error must name). Each runs under pickle.load.
ATTACKS = {
    "os.system": (lambda c: pickle.dumps(Call(os.system, f"touch {c}")), "system"),
    "eval": (lambda c: pickle.dumps(Call(eval, touch(c))), "builtins.eval"),
    "exec": (lambda c: pickle.dumps(Call(exec, touch(c))), "builtins.exec"),
    "open": (lambda c: pickle.dumps(Call(open, str(c), "w")), "open"),
    "subprocess": (
        lambda c: pickle.dumps(Call(subprocess.check_call, ["touch", str(c)])),
        "subprocess.check_call",
    ),
    "nested": (
        lambda c: pickle.dumps([[[0.0, 1.0, 2.0], {"deep": (1, [Call(eval, touch(c))])}]]),
        "builtins.eval",
    ),
    "import and getattr": (through_getattr, "functools.partial"),
    "codecs.open": (lambda c: pickle.dumps(Call(codecs.open, str(c), "w")), "codecs.open"),
    "numpy.load": (numpy_load, "load"),
    "numpy.testing": (
        lambda c: pickle.dumps(Call(np.testing.runstring, touch(c), {})),
        "numpy.testing",
    ),
    "numpy.f2py": (
        lambda c: b'cnumpy.f2py.crackfortran\nmyeval\n(S"%s or 1"\ntR.' % touch(c).encode(),
        "numpy.f2py.crackfortran.myeval",
    ),
    "object array": (in_an_object_array, "builtins.eval"),
    "state of a partial": (by_state, "functools.partial"),
    "dotted name": (dotted, "shutil.os.system"),
    "INST": (lambda c: b"(S'touch %s'\nios\nsystem\n." % str(c).encode(), "os.system"),
    "OBJ": (lambda c: b"(cos\nsystem\nS'touch %s'\no." % str(c).encode(), "os.system"),
    "old name of builtins": (
        lambda c: b'c__builtin__\neval\n(S"%s"\ntR.' % touch(c).encode(),
        "__builtin__.eval",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_pickle_runs_nothing_and_is_named(attack, tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "data.pkl"
    make, refused = ATTACKS[attack]
    path.write_bytes(make(canary))
    with pytest.raises(DataError) as error:
        load_pickle(path)
    assert not canary.exists()
    assert str(path) in str(error.value)
    assert refused in str(error.value)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the attack leaves it so
def test_the_same_pickle_would_have_run_under_pickle_load(attack, tmp_path):
    canary = tmp_path / "canary"
    make, _ = ATTACKS[attack]
    content = make(canary)
    loaded = pickle.loads(content)  # noqa: S301 - ours, and it only touches the canary
    if callable(loaded):
        loaded()
    assert canary.exists()


def forged_object_array() -> bytes:
    """Bytes that NumPy would read as pointers: an object data type that claims to hold none."""
    dtype = Call(np.dtype, "O8", False, True, state=(3, "|", None, None, None, -1, -1, 0))
    state = (1, (1,), dtype, False, b"\x41" * 8)
    return pickle.dumps(Call(np._core.multiarray._reconstruct, np.ndarray, (0,), b"b", state=state))


def array_with(shape, data, code="f8") -> bytes:
    state = (1, shape, Call(np.dtype, code, False, True), False, data)
    return pickle.dumps(Call(np._core.multiarray._reconstruct, np.ndarray, (0,), b"b", state=state))


def twice_built() -> bytes:
    state = pickle.dumps((1, (1,), np.dtype("f8"), False, b"\0" * 8), protocol=2)[2:-1]
    return pickle.dumps(np.zeros(1), protocol=2)[:-1] + state + b"b."


def nested_arrays(depth: int) -> bytes:
    """An array of an array of an array …: NumPy frees them one inside the other."""
    make = (
        b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x01\x85cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R\x89]"
    )
    return b"\x80\x02" + make * depth + b"N" + b"atb" * depth + b"."


def copies(length: int, times: int) -> bytes:
    """Arrays of the same bytes, which stand in the file once."""
    one = b"cnumpy._core.numeric\n_frombuffer\n(h\x00h\x01h\x02U\x01CtR"
    shape = b"(J" + struct.pack("<i", length) + b"tq\x02"
    dtype = b"cnumpy\ndtype\nU\x02u1\x85Rq\x01"
    content = b"B" + struct.pack("<I", length) + b"x" * length + b"q\x00"
    return b"\x80\x03(" + content + dtype + shape + one * times + b"l."


REFUSED = {
    "forged object array": forged_object_array(),
    "array larger than its data": array_with((10**12,), b"\0" * 8),
    "negative shape": array_with((-1,), b"\0" * 8),
    "structured array": pickle.dumps(np.zeros(1, dtype=[("a", "f8"), ("b", "O")])),
    "dates": pickle.dumps(np.zeros(1, dtype="M8[s]")),
    "memory map": pickle.dumps(Call(np.memmap, "/dev/null")),
    "array class called": pickle.dumps(Call(np.ndarray, (2**40,))),
    "class of arrays": pickle.dumps(np.zeros(1).view(np.recarray)),
    "codec": pickle.dumps(Call(codecs.encode, "abc", "rot13")),
    "altered stand-in": b"cnumpy\ndtype\n}S'_function'\nI1\nsb.",
    "persistent id": b"Pevil\n.",
    "persistent object": b"\x80\x04K\x01Q.",
    "extension": b"\x80\x02\x82\x01.",
    "buffer from outside": b"\x80\x05\x97.",
    "memo bomb": b"\x80\x04]r" + struct.pack("<I", 2**32 - 1) + b"q",
    "long bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",
    "deep": b"\x80\x04" + b"]" * 20_000,
    # Hashing takes time without end, or the interpreter's stack, and with it the process.
    "keys that share parts": b"\x80\x04K\x01" + b"2\x86" * 60 + b"}q\x00h\x00.",
    "key of tuples": b"\x80\x04}K\x01\x94" + b"h\x00\x86\x94" + b"Ns.",
    "key that is deep": b"\x80\x04}N" + b"\x85" * 200_000 + b"Ns.",
    "keys that are deep": b"\x80\x04}(N" + b"\x85" * 200_000 + b"Nu.",
    "mapping with a deep key": b"\x80\x04(N" + b"\x85" * 200_000 + b"Nd.",
    "set": pickle.dumps({1, 2}, protocol=4),
    "frozen set": pickle.dumps(frozenset([1]), protocol=4),
    "keys of one place": pickle.dumps({k * (2**61 - 1): 0 for k in range(3)}),
    "memo of one place": b"(p" + b"%d\n" % (2**61 - 1) + b".",
    "long byte array": b"\x80\x05\x96" + struct.pack("<Q", 3 * 2**30) + b"ab.",
    "long text": b"\x80\x04\x8d" + struct.pack("<Q", 3 * 2**30) + b"ab.",
    "long number": b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"ab.",
    "array filled again and again": b"\x80\x02cnumpy\nndarray\n(K\x05K\x01K\x02us.",
    "array with two states": twice_built(),
    "arrays within arrays": nested_arrays(5_000),
    "the same bytes again and again": copies(20_000, 1000),
    "many arguments": b"\x80\x02cnumpy\ndtype\n(" + b"K\x01" * 1000 + b"tR.",
    "other data type": b"\x80\x02cnumpy\ndtype\n" + b"]" + b"]a" * 50 + b"\x85R.",
    "not a pickle": b"time,mark,x,y\n0,0,0,0\n",
    "empty": b"",
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED.keys())
def test_forged_damaged_and_foreign_files_end_in_one_error(content, tmp_path):
    path = tmp_path / "data.pkl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"data\.pkl"):
        load_pickle(path)


def test_memory_is_bounded_by_the_file_s_size(tmp_path):
    path = tmp_path / "data.pkl"
    for content in (copies(100_000, 2000), REFUSED["long byte array"]):
        path.write_bytes(content)
        tracemalloc.start()
        try:
            with pytest.raises(DataError):
                load_pickle(path)
            assert tracemalloc.get_traced_memory()[1] < 20 * len(content) + 2**20
        finally:
            tracemalloc.stop()


def test_text_in_an_event_takes_no_more_room_than_it_has(tmp_path):
    path, text = tmp_path / "data.pkl", "x" * 100_000
    path.write_bytes(pickle.dumps([[[0.0, 1.0, 2.0, text]] + [[1.0, 0, 0, text]] * 1000]))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="event 0: field 3 is the text"):
            pickle_events(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.pkl: no such file"):
        load_pickle(tmp_path / "absent.pkl")


HARMLESS = {
    "nested lists": [[[0.5, 1, -2.0, 3.0], [1.5, 0, 2.0, 3.0]]],
    "strings and mappings": {"a": ("ä", b"\xff", None, True)},
    "float array": np.arange(12.0).reshape(3, 4),
    "empty array": np.zeros((0, 4)),
    "Fortran order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "other byte order": np.arange(3, dtype=">i4"),
    "transposed": np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
    "text array": np.array(["a", "öä"]),
    "scalar": np.float64(1.5),
    "small scalar": np.int8(-3),
    "large array": np.linspace(0, 1, 3000),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", HARMLESS.values(), ids=HARMLESS.keys())
def test_data_come_back_as_they_were(value, protocol, tmp_path):
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    loaded = load_pickle(path)
    np.testing.assert_equal(loaded, value)
    if isinstance(value, np.ndarray | np.generic):
        assert loaded.dtype.newbyteorder("=") == value.dtype.newbyteorder("=")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_ragged_object_array_comes_back(protocol, tmp_path):
    ragged = np.empty(2, dtype=object)
    ragged[:] = [np.zeros((2, 3)), np.ones((3, 3))]
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps(ragged, protocol=protocol))
    loaded = load_pickle(path)
    assert all(map(np.array_equal, loaded, ragged))


def test_names_of_numpy_1_are_known(tmp_path):
    path = tmp_path / "data.pkl"
    old = pickle.dumps(np.arange(3.0), protocol=2).replace(b"numpy._core", b"numpy.core")
    path.write_bytes(old)
    np.testing.assert_equal(load_pickle(path), np.arange(3.0))


def test_a_file_that_unfolds_in_memory_is_refused(tmp_path):
    events = [[float(i), 0.0, 0.0] for i in range(100)]
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps([events] * 100_000))
    with pytest.raises(DataError, match="repeats its own parts"):
        pickle_events(path)


VALID = pickle.dumps([[[0.0, 1, 2.0, 3.0]], np.arange(4.0), np.float64(1), "text"])


@given(st.integers(0, len(VALID) - 1))
def test_every_truncated_pickle_is_refused(tmp_path_factory, length):
    path = tmp_path_factory.getbasetemp() / "truncated.pkl"
    path.write_bytes(VALID[:length])
    with pytest.raises(DataError, match=r"truncated\.pkl"):
        load_pickle(path)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1))
def test_a_damaged_pickle_loads_or_ends_in_a_data_error(tmp_path_factory, changes):
    content = bytearray(VALID)
    for place, byte in changes:
        content[place] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.pkl"
    path.write_bytes(bytes(content))
    # Any other exception fails the test.
    with contextlib.suppress(DataError):
        load_pickle(path)


def test_nothing_was_imported_for_a_refused_name(tmp_path):
    path = tmp_path / "data.pkl"
    module = "module_of_nobody"
    (tmp_path / f"{module}.py").write_text("raise SystemExit('imported')")
    sys.path.insert(0, str(tmp_path))
    try:
        path.write_bytes(b"c" + module.encode() + b"\nanything\n.")
        with pytest.raises(DataError, match=module):
            load_pickle(path)
    finally:
        sys.path.remove(str(tmp_path))
    assert module not in sys.modules
