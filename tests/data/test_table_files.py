"""Tables as programs export them: read as they come, or one message that says what they are."""

import gzip
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from smash.data.table_files import read_table
from smash.errors import DataError

TEXT = "time,lon,lat,kind\n2024-01-01T00:40:47Z,139.5,37.25,café\n2024-01-02,-1.5,0.25,NA\n"
FORMS = {
    "plain.csv": TEXT.encode(),
    "UPPER.CSV": TEXT.encode(),
    "windows.csv": TEXT.replace("\n", "\r\n").encode(),
    "mark.csv": TEXT.encode("utf-8-sig"),
    "utf16.csv": TEXT.encode("utf-16"),
    "utf16_without_mark.csv": TEXT.encode("utf-16-le"),
    "latin.csv": TEXT.encode("cp1252"),
    "packed.csv.gz": gzip.compress(TEXT.encode()),
    "tabs.tsv": TEXT.replace(",", "\t").encode(),
    "bars.txt": TEXT.replace(",", "|").encode(),
    "semicolons.csv": TEXT.replace(",", ";").replace(".", ",").encode(),
    "quoted.csv": TEXT.replace("139.5", '"139.5"').replace("kind", '"kind"').encode(),
    "blanks.csv": TEXT.replace(",", " , ").replace("\n", "  \n").encode(),
    "empty_rows.csv": ("\n" + TEXT.replace("café\n", "café\n,,,\n") + "\n").encode(),
    "no_suffix": TEXT.encode(),
}


@cache
def plain() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time": ["2024-01-01T00:40:47Z", "2024-01-02"],
            "lon": ["139.5", "-1.5"],
            "lat": ["37.25", "0.25"],
            "kind": ["café", "NA"],
        }
    )


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_table_is_read_alike(tmp_path, name):
    (tmp_path / name).write_bytes(FORMS[name])
    table = read_table(tmp_path / name)
    pd.testing.assert_frame_equal(table.frame, plain(), check_dtype=False)
    rows = {"empty_rows.csv": [3, 5]}.get(name, [2, 3])
    assert table.rows.tolist() == rows
    notes = {
        "latin.csv": "Windows-1252",
        "empty_rows.csv": "empty rows left out",
    }
    said = notes.get(name)
    assert (said is None and table.notes == ()) or (said is not None and said in table.notes[0])


def test_parquet_is_read_whatever_its_name(tmp_path):
    plain().to_parquet(tmp_path / "table.csv")
    pd.testing.assert_frame_equal(
        read_table(tmp_path / "table.csv").frame, plain(), check_dtype=False
    )


NO_TABLES = {
    "Excel workbook": b"PK\x03\x04\x14\x00\x06\x00",
    "old Excel workbook": b"\xd0\xcf\x11\xe0\xa1\xb1",
    "SQLite": b"SQLite format 3\x00",
    "packed by bzip2": b"BZh91AY",
    "packed by gzip, and damaged": gzip.compress(TEXT.encode())[:-12],
    "more than 64 times its size": gzip.compress(b"0" * (1 << 27)),
    "neither text": bytes(range(256)) * 4,
    "a header and no rows": b"time,x,y\n",
    "empty": b"\n \n",
    "row 3 has 5 cells and the header 4": TEXT.replace("0.25,NA", "0.25,NA,1").encode(),
    "damaged text in utf-16": TEXT.encode("utf-16")[:-1],
}


@pytest.mark.parametrize("what", NO_TABLES)
def test_what_is_no_table_is_said(tmp_path, what):
    path = tmp_path / "table.csv"
    path.write_bytes(NO_TABLES[what])
    with pytest.raises(DataError, match=what) as error:
        read_table(path)
    assert str(error.value).startswith(str(path))


def test_folders_missing_files_and_columns_are_named(tmp_path):
    with pytest.raises(DataError, match="a folder; name a file"):
        read_table(tmp_path)
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        read_table(tmp_path / "none.csv")
    messages = {
        "x,y,x\n1,2,3\n": "2 columns are called 'x'",
        "lon lat\n1 2\n": "kept apart by a comma",
        "1,2\n3,4\n": "The first row holds the names",
        "X,y\n1,2\n": "did you mean 'X'|it has 'X', 'y'",
    }
    for text, message in messages.items():
        path = Path(tmp_path / "table.csv")
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_table(path).column("x")
