"""Tables as CSV that a spreadsheet shows as they are: text never becomes a formula.

Names of marks, sequences and data sets are other people's text. A spreadsheet computes a cell that
begins with one of `= + - @`, a tab or a carriage return; with an apostrophe before it, it does not.
"""

from typing import Any

import pandas as pd

STARTS = ("=", "+", "-", "@", "\t", "\r")


def plain_cell(text: str) -> str:
    """Returns text as it may stand in a cell; numbers such as -1.5 stay as they are."""
    starts = text.startswith(STARTS) or text.lstrip().startswith(STARTS)
    return f"'{text}" if starts and not _is_number(text) else text


def to_csv(table: pd.DataFrame, index: bool = False) -> str:
    """Returns a table as CSV, its text and its headings as they may stand in cells."""

    def plain(value: Any) -> Any:
        return plain_cell(value) if isinstance(value, str) else value

    cells = table.reset_index() if index else table
    numeric = cells.columns[[pd.api.types.is_numeric_dtype(kind) for kind in cells.dtypes]]
    shown = {name: cells[name] if name in numeric else cells[name].map(plain) for name in cells}
    frame = pd.DataFrame(shown, columns=cells.columns, index=cells.index)
    return str(frame.rename(columns=plain).to_csv(index=False))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
