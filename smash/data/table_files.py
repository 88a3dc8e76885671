"""Files of tables, read as they come: CSV and its kin, packed or not, and Parquet.

What a file is, its first bytes say, whatever its suffix. Text may be UTF-8, UTF-16 or
Windows-1252; cells are kept apart by `,`, `;`, tab or `|`; where they are not by a comma, numbers
may have decimal commas. Cells stay text, without the blanks around them, and only an empty cell is
missing.
"""

import codecs
import gzip
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd

from smash.data.raw import reading
from smash.data.reading_cost import check_text_table, plain_columns
from smash.data.tables import Table
from smash.errors import DataError
from smash.untrusted_files import regular_size

DELIMITERS = (",", ";", "\t", "|")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHERS = {
    b"PK\x03\x04": "an Excel workbook or another ZIP archive; save the sheet as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV (UTF-8)",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"\x89HDF": "an HDF5 file; write the table as CSV or Parquet",
    b"%PDF": "a PDF; give the table as CSV or Parquet",
    b"BZh": "packed by bzip2; unpack it, or pack it by gzip",
    b"\xfd7zXZ": "packed by xz; unpack it, or pack it by gzip",
    b"(\xb5/\xfd": "packed by zstd; unpack it, or pack it by gzip",
}
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(,\d+)?([eE][+-]?\d+)?", re.ASCII)


def read_table(path: Path, fewest: int = 1) -> Table:
    """Returns the rows of a Parquet file, or those of a CSV file as text, `fewest` or more.

    Raises:
        DataError: when the file is missing, is no table, or its rows are not as its header; it says
            what the file is and what to do.
    """
    content = _content(path)
    if content[:4] == b"PAR1":
        return _checked(_parquet(path), path, fewest)
    kind = next((kind for start, kind in _OTHERS.items() if content.startswith(start)), None)
    if kind is not None:
        raise DataError(f"{path}: not a table but {kind}")
    if not content.strip():
        raise DataError(f"{path}: empty; give a header and a row an event")
    return _checked(_delimited(path, content), path, fewest)


def _checked(table: Table, path: Path, fewest: int) -> Table:
    if len(table) < fewest:
        raise DataError(f"{path}: a header and no rows; give a row an event")
    return table


def _content(path: Path) -> bytes:
    """Returns a file's bytes, unpacked; of Parquet, its first."""
    regular_size(path, DataError)
    with reading(path, "a table"), path.open("rb") as file:
        start = file.read(4)
    if start == b"PAR1":
        return start
    check_text_table(path)
    with reading(path, "a table"):
        content = path.read_bytes()
        return gzip.decompress(content) if start.startswith(b"\x1f\x8b") else content


def _parquet(path: Path) -> Table:
    columns = plain_columns(path)
    with reading(path, "a Parquet table"):
        frame = pd.read_parquet(path, columns=columns).reset_index(drop=True)
        frame = frame.rename(columns=lambda column: str(column).strip())
    # Rows are numbered as those of a CSV file, whose first row is the header.
    return Table(frame, str(path), np.arange(2, 2 + len(frame)))


def _delimited(path: Path, content: bytes) -> Table:
    content, notes = _as_utf8(path, content)
    # Of empty lines before the header pandas makes a table without columns.
    table = content.lstrip(b"\r\n")
    above, content = content[: len(content) - len(table)].count(b"\n"), table
    delimiter = _delimiter(content)
    try:
        cells = pd.read_csv(
            io.BytesIO(content),
            sep=delimiter,
            encoding="utf-8",
            header=None,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            skip_blank_lines=False,
        )
    except ValueError as error:  # of pandas' parser, too
        raise DataError(
            f"{path}: cannot be read as a CSV table: {_reason(error, above)}"
        ) from error
    cells = cells.apply(lambda column: column.str.strip())
    cells = cells.where(cells != "")
    filled = np.flatnonzero(cells.notna().any(axis=1).to_numpy())
    if not len(filled):
        raise DataError(f"{path}: every row is empty; give a header and a row an event")
    header, kept = int(filled[0]), filled[1:]
    frame = cells.iloc[kept].reset_index(drop=True)
    frame.columns = pd.Index(list(cells.iloc[header].fillna("")))
    if empty := len(cells) - header - 1 - len(frame):
        notes += (f"{empty} empty rows left out",)
    # The header is row 1 where it stands in the first.
    frame = frame if delimiter == "," else _with_points(frame)
    return Table(frame, str(path), kept + 1 + above, notes=notes)


def _as_utf8(path: Path, content: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Returns a file's text in UTF-8, and a note where its encoding was guessed."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    encoding = encoding or _utf16(content) or "utf-8"
    notes: tuple[str, ...] = ()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise DataError(
                f"{path}: damaged text in {encoding} ({error.reason}); save it as UTF-8"
            ) from error
        text = content.decode("cp1252", errors="replace")
        notes = ("not in UTF-8: read as Windows-1252; save it as UTF-8 if letters look wrong",)
    if "\0" in text or (notes and "\ufffd" in text):
        raise DataError(
            f"{path}: cannot be read as a CSV table: it is neither text in UTF-8, UTF-16 or "
            "Windows-1252 nor Parquet; the file may be truncated or of another kind"
        )
    return content if encoding == "utf-8" and not notes else text.encode(), notes


def _utf16(content: bytes) -> str | None:
    """Returns the encoding of text in UTF-16 without a mark: every other byte of ASCII is zero."""
    pairs = np.frombuffer(content[: min(len(content), 1000) // 2 * 2], np.uint8).reshape(-1, 2)
    high, low = (pairs == 0).mean(axis=0) if len(pairs) else (0.0, 0.0)
    return "utf-16-be" if high > 0.4 else "utf-16-le" if low > 0.4 else None


def _delimiter(content: bytes) -> str:
    """Returns what keeps the names in the header apart."""
    header = re.sub(rb'"[^"]*"', b"", content.lstrip(b"\r\n").partition(b"\n")[0])
    return max(DELIMITERS, key=lambda delimiter: header.count(delimiter.encode()))


def _reason(error: Exception, above: int) -> str:
    """Returns what pandas says of a row that does not fit, as a reader of the file would."""
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if not found:
        return f"{' '.join(str(error).split())[:200]}; the file may be truncated or of another kind"
    expected, line, seen = found.groups()
    return (
        f"row {int(line) + above} has {seen} cells and the header {expected}; put text that holds "
        "the delimiter in quotation marks"
    )


def _with_points(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns a table with points for commas in the columns that hold such numbers alone."""
    points = {}
    for place in range(frame.shape[1]):
        column = frame.iloc[:, place]
        present = column.dropna()
        commas = present.str.contains(",", regex=False)
        if commas.any() and present.str.fullmatch(_DECIMAL_COMMA).all():
            points[place] = column.str.replace(",", ".", regex=False)
    columns = [points.get(place, frame.iloc[:, place]) for place in range(frame.shape[1])]
    named = pd.concat(columns, axis=1) if columns else frame
    return named.set_axis(frame.columns, axis=1)
