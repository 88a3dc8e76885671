"""NPZ files of other projects: rows (time, x, y), one array a sequence or one a split.

neural_stpp's files hold an array (L, 3) for each sequence, whose name is the sequence's. Those of
AutoSTPP and DeepSTPP hold `train`, `val` and `test`: arrays of such arrays, or (M, L, 3) where all
sequences are of one length. Nothing says when observation begins and ends: with the first and the
last event.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smash.data.npz_arrays import array_names, read_arrays
from smash.data.plain_values import described
from smash.data.raw import RawEvents, observed_window
from smash.errors import DataError

SPLITS = {"train": "train", "val": "validation", "test": "test"}
_WIDTH = 3


def split_arrays(path: Path) -> dict[str, RawEvents]:
    """Returns the splits of a file as AutoSTPP and DeepSTPP write them.

    Raises:
        DataError: naming the split and the sequence that are not rows of (time, x, y).
    """
    arrays = read_arrays(path, list(SPLITS), objects=True)
    events = {}
    for name, split in SPLITS.items():
        array, where = arrays[name], f"{path} ({name})"
        if array.ndim == 0:
            raise DataError(f"{where}: holds {described(array.item())}; expected sequences")
        events[split] = _raw(list(array), None, where)
    return events


def sequence_arrays(path: Path) -> RawEvents:
    """Returns the events of a file as neural_stpp writes them.

    Raises:
        DataError: naming the sequence that is not rows of (time, x, y).
    """
    arrays = read_arrays(path, array_names(path))
    return _raw(list(arrays.values()), list(arrays), str(path))


def _raw(sequences: Sequence[Any], labels: list[str] | None, name: str) -> RawEvents:
    rows = [
        _rows(sequence, f"{name}, sequence {number if labels is None else labels[number]}")
        for number, sequence in enumerate(sequences)
    ]
    if not any(map(len, rows)):
        raise DataError(f"{name}: no events; expected sequences of rows (time, x, y)")
    events = np.concatenate(rows)
    lengths = np.array([len(of_sequence) for of_sequence in rows], dtype=np.int64)
    time = events[:, 0]
    window = observed_window(time, lengths)
    return RawEvents(name, time, events[:, 1:], None, lengths, window, labels=labels)


def _rows(sequence: Any, where: str) -> NDArray[np.float64]:
    """Returns (L, 3) from the array of one sequence."""
    if not isinstance(sequence, np.ndarray):
        raise DataError(f"{where}: holds {described(sequence)}; expected an array (events, 3)")
    if sequence.size == 0:
        return np.empty((0, _WIDTH))
    if sequence.dtype.kind not in "iuf" or sequence.ndim != 2 or sequence.shape[1] != _WIDTH:
        raise DataError(
            f"{where}: is {sequence.dtype} of shape {sequence.shape}; expected numbers of shape "
            "(events, 3), time and two coordinates (or arrays 'time' and 'location')"
        )
    return sequence.astype(np.float64)
