"""CSV that comes back as it was, but for text that a spreadsheet would compute."""

import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smash.spreadsheets import STARTS, plain_cell, to_csv

EVIL = "=HYPERLINK(1)"


# No half of a surrogate pair: what is said of a failure must be writable.
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_cell_is_as_it_was_or_begins_with_an_apostrophe(text):
    plain = plain_cell(text)
    assert plain.removeprefix("'") == text.removeprefix("'")
    assert plain == text or text.startswith(STARTS) or text.lstrip().startswith(STARTS)


@pytest.mark.parametrize("start", STARTS)
def test_text_is_no_formula_in_cells_headings_or_index(start):
    table = pd.DataFrame({f"{start}a": [f"{start}b", "c"], "n": [-1.5, 2.0]}, index=["x", "y"])
    rows = to_csv(table.rename_axis("i").rename(index={"x": f"{start}x"}), index=True)
    read = pd.read_csv(io.StringIO(rows), lineterminator="\n")
    assert list(read) == ["i", f"'{start}a", "n"]
    assert read.iloc[0].tolist() == [f"'{start}x", f"'{start}b", -1.5]


def test_numbers_times_and_missing_cells_are_as_pandas_writes_them():
    table = pd.DataFrame(
        {
            "time": pd.to_datetime(["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"]),
            "x": [-0.5, None],
            "mark": ["-1", None],
        }
    )
    assert to_csv(table) == table.to_csv(index=False)
