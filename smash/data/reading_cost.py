"""What a table may cost to read: a multiple of its size, known before it is read.

Compression and run lengths let a file of a kilobyte unfold into gigabytes. Data of events do not
compress so: each has a time and a place of its own.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from smash.data.raw import reading
from smash.errors import DataError
from smash.untrusted_files import regular_size

UNFOLDED = 64
"""How many times its own size a file may become, beside what any file may."""
ALWAYS = 64 * 2**20
_BLOCK = 2**20
_CELL = 8
_FEWEST_CELLS = 10_000_000


def check_text_table(path: Path) -> None:
    """Checks that a table of text, gzipped or not, unfolds into nothing far larger than it is.

    A row shorter than the header is filled up, so that a long header and short rows make a square
    of cells out of two sides.

    Raises:
        DataError: naming the file, when it is no plain file or too large once it is read.
    """
    size = regular_size(path, DataError)
    most = UNFOLDED * size + ALWAYS
    n_bytes, n_lines, n_columns = 0, 0, 0
    with reading(path, "a CSV table"), _unpacking(path):
        for block in _blocks(path):
            if n_lines == 0:
                n_columns += max(map(block.split(b"\n", 1)[0].count, (b",", b";", b"\t", b"|")))
            n_bytes += len(block)
            n_lines += max(block.count(b"\n"), block.count(b"\r"))
            if n_bytes > most:
                raise DataError(
                    f"{path}: unpacks to more than {UNFOLDED} times its size; unpack it yourself "
                    "if it is meant so"
                )
    n_cells = n_lines * (n_columns + 1)
    # Whole rows have no more cells than bytes; lines within quotes are no rows.
    if n_cells > max(16 * n_bytes, _FEWEST_CELLS):
        raise DataError(
            f"{path}: its header has {n_columns + 1} columns and its {n_lines} lines far fewer; "
            "write every row with all of its columns"
        )


@contextmanager
def _unpacking(path: Path) -> Iterator[None]:
    """Turns what gzip raises on a damaged file into a DataError naming it."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: packed by gzip, and damaged ({error}); pack it anew") from error


def _blocks(path: Path) -> Iterator[bytes]:
    """Yields the bytes of a file, unpacked where they are gzipped."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def plain_columns(path: Path) -> list[str]:
    """Returns the columns of a Parquet file that have one value a row, all of them affordable.

    Raises:
        DataError: naming the file, when it is no Parquet file or too large once it is read.
    """
    return [leaf.name for leaf in _affordable(path, lambda leaf: leaf.path == leaf.name)]


def check_parquet(path: Path) -> None:
    """Checks that all of a Parquet file's columns, lists too, can be afforded.

    Raises:
        DataError: naming the file, when it is no Parquet file or too large once it is read.
    """
    _affordable(path, lambda leaf: True)


def _affordable(path: Path, chosen: Callable[[Any], bool]) -> list[Any]:
    """Returns the chosen columns (as Parquet's leaves), once it is known what reading them costs.

    Lists are counted by what the file says of them, which is not checked against what they are.
    """
    room = UNFOLDED * regular_size(path, DataError) + ALWAYS
    with reading(path, "a Parquet table"), pq.ParquetFile(path) as file:
        leaves = [file.schema.column(i) for i in range(len(file.schema))]
        numbers = [i for i, leaf in enumerate(leaves) if chosen(leaf)]
        room -= sum(_column_size(file.metadata, i, leaves[i].length or 0) for i in numbers)
        texts = [leaves[i].path for i in numbers if leaves[i].physical_type == "BYTE_ARRAY"]
        if room < 0 or _text_size(path, texts) > room:
            raise DataError(
                f"{path}: becomes more than {UNFOLDED} times as large when it is read; write only "
                "the columns of events, without compression"
            )
        return [leaves[i] for i in numbers]


def _column_size(metadata: pq.FileMetaData, column: int, width: int) -> int:
    """Returns how many bytes a column's values need, the text they may point to left out."""
    n_bytes = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        chunk = group.column(column)
        if min(group.num_rows, chunk.num_values, chunk.total_uncompressed_size) < 0:
            raise ValueError("a negative number of values")
        cells = max(group.num_rows, chunk.num_values) * max(_CELL, width)
        n_bytes += max(cells, chunk.total_uncompressed_size)
    return n_bytes


def _text_size(path: Path, columns: list[str]) -> int:
    """Returns how many bytes of text columns hold; one text may stand in all of their rows."""
    if not columns:
        return 0
    n_bytes = 0
    with pq.ParquetFile(path, read_dictionary=columns) as file:
        for column in file.read(columns=columns).columns:
            for chunk in column.chunks:
                if pa.types.is_dictionary(chunk.type):
                    length = np.asarray(pc.binary_length(chunk.dictionary).fill_null(0))
                    n_bytes += int(length[np.asarray(chunk.indices.drop_null())].sum())
    return n_bytes
