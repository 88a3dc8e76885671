"""Names are text: a mark is known by its name, however a table or a request spells it."""

import pandas as pd
import pytest

from smash.data.names import as_text, codes, in_order


@pytest.mark.parametrize(
    ("spellings", "names"),
    [
        (["2", "1", "10"], ("1", "2", "10")),
        (["2.0", "1.0"], ("1", "2")),
        (["01", "1", "1.0", "2"], ("1", "2")),
        (["002", "001", "010"], ("001", "002", "010")),
        (["b", "a", "NA"], ("NA", "a", "b")),
        (["1", "1.5"], ("1", "1.5")),
        (["-1", "0", "+3"], ("-1", "0", "3")),
    ],
)
def test_whole_numbers_are_one_name_each_and_zeros_stay(spellings, names):
    assert in_order(spellings) == names
    assert (codes(spellings, names) >= 0).all()


def test_a_number_is_a_name_and_no_place():
    assert codes(["1", "01", "1.0", "0", "3"], ("1", "2")).tolist() == [0, 0, 0, -1, -1]
    assert codes(["2", "002", "02.0"], ("001", "002")).tolist() == [1, 1, 1]
    assert codes(["0", "1", "b"], ("a", "b")).tolist() == [-1, -1, 1]
    assert codes([None, "x"], ("x",)).tolist() == [-1, 0]


def test_cells_of_any_type_are_text_without_blanks_and_only_empty_ones_are_missing():
    cells = pd.Series(["a ", " NA", "None", "nan", "", None, float("nan"), 1, 1.0, 1.5, True])
    expected = ["a", "NA", "None", "nan", None, None, None, "1", "1", "1.5", "True"]
    assert as_text(cells).tolist() == expected
    assert as_text(pd.Series([1.0, 2.0])).tolist() == ["1", "2"]
    assert as_text(pd.Series(["01", "a"], dtype="category")).tolist() == ["01", "a"]
