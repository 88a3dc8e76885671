"""Files of `torch.save` from strangers: tensors in plain containers, and nothing else.

PyTorch's own restricted reading runs no code, but it makes byte arrays of any length, hashes
whatever is a key and shows a number of memory through a tensor of any size. So the instructions
are gone through once without PyTorch first, where each is checked against the file.
"""

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from smash.data.pickled_arrays import Buildable, Room, StandIn
from smash.data.unpickling import RestrictedUnpickler
from smash.errors import CheckpointError, SmashError
from smash.untrusted_files import regular_size

_MOST_DEPTH = 16
_ITEM_SIZES = {
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
}


def load_tensors(path: Path) -> Any:
    """Returns what `torch.save` wrote; code hidden in it is not run.

    Raises:
        CheckpointError: naming the file, when it is missing, damaged or holds anything else.
    """
    size = regular_size(path, CheckpointError)
    try:
        with zipfile.ZipFile(path) as archive:
            content = _rehearsed(archive, path, size)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        _check_unfolded(tensors, 16 * content)
    except SmashError as error:
        raise CheckpointError(str(error)) from error
    except Exception as error:
        raise CheckpointError(
            f"{path}: not a file of plain weights, so it is not read ({type(error).__name__}); "
            "give one that torch.save wrote of a state dict"
        ) from error
    return tensors


def _rehearsed(archive: zipfile.ZipFile, path: Path, size: int) -> int:
    """Returns the length of the pickle in a PyTorch file, which has been gone through."""
    entries = archive.infolist()
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or sum(entry.file_size for entry in entries) > size:
        raise ValueError("packed in a way that PyTorch does not write")
    [pickled] = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
    lengths = {entry.filename: entry.file_size for entry in entries}
    folder = pickled.filename.removesuffix("data.pkl") + "data/"
    _Rehearsal(archive.read(pickled), str(path), folder, lengths).load()
    return pickled.file_size


def _check_unfolded(content: Any, most: int) -> None:
    """Checks that containers which stand in several places do not add up to far more than they are.

    Whoever goes through them (an optimiser restoring its state) sees each as often as it stands.
    """
    left = [(content, 0)]
    while left:
        value, depth = left.pop()
        most -= 1
        if depth > _MOST_DEPTH or most < 0:
            raise ValueError("containers repeated or nested too deeply")
        if isinstance(value, dict):
            left += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, list | tuple):
            left += [(item, depth + 1) for item in value]


class _Rehearsal(RestrictedUnpickler):
    """Goes through the instructions of a PyTorch file without making a tensor."""

    def __init__(self, content: bytes, name: str, folder: str, lengths: Mapping[str, int]) -> None:
        super().__init__(content, name, _STAND_INS)
        self.folder, self.lengths = folder, lengths

    def persistent_load(self, pid: Any) -> "_Storage":
        _storage, kind, key, _device, n_values = pid
        if not isinstance(kind, _StorageKind) or type(n_values) is not int:
            self.refuse("a persistent id that is no storage of numbers")
        if self.lengths.get(f"{self.folder}{key}") != n_values * kind.item_size:
            self.refuse("a storage of another size than its numbers")
        return _Storage(n_values)


class _StorageKind:
    """Stands for a class of storages; nobody can call it."""

    def __init__(self, item_size: int) -> None:
        self.item_size = item_size


class _Storage:
    """Stands for the numbers of a tensor."""

    def __init__(self, n_values: int) -> None:
        self.n_values = n_values


class _Ordered(dict, Buildable):
    """Stands for an ordered dict, which carries a little beside its keys."""

    def build(self, state: Any, room: Room) -> None:
        if type(state) is not dict:
            raise ValueError("an ordered dict with a state")


def _tensor(_room: Room, storage: Any, _offset: Any, shape: Any, *_rest: Any) -> _Storage:
    if not isinstance(storage, _Storage) or not isinstance(shape, tuple) or len(shape) > 16:
        raise ValueError("a tensor of no numbers")
    if not all(type(n) is int and 0 <= n <= 2**48 for n in shape):
        raise ValueError("a tensor of an impossible shape")
    if math.prod(shape) > storage.n_values:
        raise ValueError("a tensor that shows its numbers more than once")
    return storage


def _parameter(_room: Room, data: Any, *_rest: Any) -> Any:
    if not isinstance(data, _Storage):
        raise ValueError("a parameter of no tensor")
    return data


_STAND_INS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): StandIn(lambda room: _Ordered()),
    ("torch._utils", "_rebuild_tensor_v2"): StandIn(_tensor),
    ("torch._utils", "_rebuild_parameter"): StandIn(_parameter),
} | {("torch", name): _StorageKind(size) for name, size in _ITEM_SIZES.items()}
