"""Files of torch.save: tensors in plain containers come back; what would cost or run does not."""

import io
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict

import pytest
import torch

from smash.errors import CheckpointError
from smash.model.torch_files import load_tensors

WHOLE = {
    "weights": OrderedDict(a=torch.arange(6.0).reshape(2, 3), b=torch.ones(2, dtype=torch.int64)),
    "state": {
        "step": 3,
        "group": [{"betas": (0.9, 0.99), "none": None}],
        "bytes": torch.ByteTensor(5),
    },
    "parameter": {"p": torch.nn.Parameter(torch.zeros(2))},
    "view": {"half": torch.arange(8.0)[::2]},
}


@pytest.mark.parametrize("name", WHOLE)
def test_tensors_in_containers_come_back(name, tmp_path):
    torch.save(WHOLE[name], tmp_path / "a.pt")
    loaded = load_tensors(tmp_path / "a.pt")
    torch.testing.assert_close(loaded, WHOLE[name])


def in_a_file(pickled: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A PyTorch file with other instructions."""
    torch.save({"a": torch.zeros(2)}, whole := io.BytesIO())
    changed = io.BytesIO()
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(changed, "w", compression) as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry.filename, pickled if entry.filename.endswith(".pkl") else content)
    return changed.getvalue()


def saved(content, **how) -> bytes:
    torch.save(content, file := io.BytesIO(), **how)
    return file.getvalue()


ZEROS = b"\x80\x02}X\x01\x00\x00\x00a]s."
REFUSED = {
    "byte array of any length": in_a_file(
        b"\x80\x02cbuiltins\nbytearray\n\x8a\x05" + struct.pack("<Q", 3 * 2**30)[:5] + b"\x85R."
    ),
    "deep key": in_a_file(b"\x80\x02}N" + b"\x85" * 200_000 + b"Ns."),
    "large view of a number": saved(torch.zeros(1).expand(10**9)),
    "sparse": saved(torch.eye(3).to_sparse()),
    "compressed": in_a_file(ZEROS, zipfile.ZIP_DEFLATED),
    "containers of containers": in_a_file(
        b"\x80\x02]q\x00" + b"".join(b"]q%c(h%ch%ce" % (k + 1, k, k) for k in range(60)) + b"."
    ),
    "older format": saved({"a": torch.zeros(2)}, _use_new_zipfile_serialization=False),
    "code": in_a_file(b"\x80\x02cos\ngetcwd\n)R."),
    "truncated": saved({"a": torch.zeros(2)})[:-200],
    "plain pickle": pickle.dumps({"a": 1}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_in_little_memory(name, tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(REFUSED[name])
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=r"a\.pt") as refused:
            load_tensors(path)
        assert tracemalloc.get_traced_memory()[1] < 64 * path.stat().st_size + 2**22
    finally:
        tracemalloc.stop()
    assert "\n" not in str(refused.value)
