"""A catalogue in three periods, each with all that came before it as its history."""

from dataclasses import replace

import numpy as np

from smash.data.catalogues import Catalogue
from smash.data.splitting import SPLITS, date_words, parse_split, read_dates, span_words
from smash.data.tally import count, with_left_out
from smash.data.windows import Windows
from smash.errors import DataError

FEWEST = 10
"""Events of a period without which there is nothing to train on, choose or test by."""


def cut_periods(
    catalogue: Catalogue, split: str | None, targets_from: str, midnight: bool = False
) -> Windows:
    """Returns three windows, to train, validate and test by, as catalogues of earthquakes are cut.

    All begin with the first event, or at the `midnight` (UTC) before it, so that history reaches
    across the dates at which validation and test begin (`split`), and events before `targets_from`
    are history alone. Of each window what is forecast are the events of its own period; the test's
    lasts to the last event.

    Raises:
        DataError: when dates are missing, do not follow each other, or a period has few events.
    """
    if catalogue.sequence is not None:
        raise DataError("--targets-from is for one long catalogue; leave --sequence out")
    asked = None if split is None else parse_split(split, catalogue.clock)
    if not isinstance(asked, tuple):
        raise DataError(
            "--targets-from: say too when validation and test begin, such as --split "
            "2016-01-01,2017-01-01"
        )
    start = _date(targets_from, catalogue)
    if not start < asked[0]:
        raise DataError(
            f"--targets-from {targets_from}: comes after validation begins (--split {split}); give "
            "a date before it"
        )
    dates = (start, *asked)
    before = np.searchsorted(catalogue.time, dates)
    ends = np.append(before[1:], len(catalogue))
    for name, first, end in zip(SPLITS, before, ends, strict=True):
        if end - first < FEWEST:
            raise DataError(
                f"{end - first} events for {name}, and {FEWEST} are needed; choose other dates "
                "(--targets-from, --split) or a lower --threshold"
            )
    rows = [np.arange(end) for end in ends]
    begin = min(float(catalogue.time[0]), start)
    begin = catalogue.clock.midnight(begin) if midnight else begin
    bounds = np.array([[begin, end] for end in (*asked, float(catalogue.time[-1]))])
    tally = with_left_out(count(len(catalogue), rows, ()), catalogue.left_out)
    how = (
        f"at the dates given: {span_words(asked, catalogue.clock)}; events before "
        f"{date_words(start, catalogue.clock)} are history alone"
    )
    history = np.maximum(before, 1).astype(np.int64)
    names = np.array(SPLITS)
    return Windows(rows, bounds, names, replace(tally, split=how), history)


def _date(text: str, catalogue: Catalogue) -> float:
    """Returns a date as raw time."""
    wanted = "2009-01-01" if catalogue.clock.origin else "365"
    return float(read_dates([text], catalogue.clock, f"--targets-from {text}", wanted)[0])
