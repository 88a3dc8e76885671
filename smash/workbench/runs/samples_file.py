"""The samples of a test as a Parquet file: written a batch at a time, read back with their truth.

One row an event, in raw units:

| column | type | meaning |
|---|---|---|
| sequence, event | int64 | the event's sequence in its split and its place there, from 0 |
| time | double | when it happened, in the data's own time |
| gap, x, y | double | what happened: time since the previous event, location (if any) |
| mark | int64 | the mark that happened, from 0 (marked data) |
| sample_gap | list of float, S long | the forecast's draws of the gap |
| sample_x, sample_y | list of double, S long | of the place, if any; its origin may be far away |
| sample_mark | list of int16, S long | the drawn marks (marked forecasts) |
| mark_probability | list of float, K long | mean of p(k | t) over the draws (marked forecasts) |
"""

from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from smash.data.events import Targets
from smash.data.raw import reading
from smash.data.reading_cost import check_parquet
from smash.law.samples import Forecast, Samples

ROUNDED = 1e-5
"""Share of the spread of places that their draws may be rounded by."""


class SamplesWriter:
    """Writes forecasts to a Parquet file, a row group each; a context manager."""

    def __init__(self, path: Path, metadata: dict[str, str] | None = None) -> None:
        self.path, self._metadata = path, metadata or {}
        self._writer: pq.ParquetWriter | None = None

    def write(self, forecast: Forecast) -> None:
        """Appends the samples and the truth of one forecast."""
        table = _table(forecast.targets, forecast.samples)
        if self._writer is None:
            schema = table.schema.with_metadata(self._metadata)
            self._writer = pq.ParquetWriter(self.path, schema, compression="zstd")
        self._writer.write_table(table.cast(self._writer.schema))

    def __enter__(self) -> "SamplesWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()


def read_samples(path: Path | str) -> tuple[Targets, Samples]:
    """Returns the targets and the samples of a file written by `SamplesWriter`.

    The arg max of p(k | t) at each draw is not kept, so `mark_mode` is None.

    Raises:
        DataError: when the file is missing or not such a file.
    """
    check_parquet(Path(path))
    with reading(Path(path), "a file of samples"):
        table = pq.ParquetFile(path).read()
        columns = {name: table[name].combine_chunks() for name in table.column_names}
        marked, with_marks = "mark" in columns, "sample_mark" in columns
        axes = "xy" if "x" in columns else ""
        gaps = _matrix(columns["sample_gap"])
        targets = Targets(
            sequence=_column(columns["sequence"], np.int64),
            event=_column(columns["event"], np.int64),
            time=_column(columns["time"], np.float64),
            gap=_column(columns["gap"], np.float64),
            location=_stacked(
                [_column(columns[name], np.float64) for name in axes], table.num_rows
            ),
            mark=_column(columns["mark"], np.int64) if marked else None,
        )
        samples = Samples(
            gap=gaps,
            location=_stacked([_matrix(columns[f"sample_{name}"]) for name in axes], *gaps.shape),
            mark=_matrix(columns["sample_mark"]).astype(np.int64) if with_marks else None,
            mark_probability=_matrix(columns["mark_probability"]) if with_marks else None,
        )
        if samples.gap.shape != samples.location.shape[:2]:
            raise ValueError("as many draws of each thing are expected")
    return targets, samples


def _table(targets: Targets, samples: Samples) -> pa.Table:
    columns: dict[str, pa.Array | np.ndarray] = {
        "sequence": targets.sequence,
        "event": targets.event,
        "time": targets.time,
        "gap": targets.gap,
        **dict(zip("xy", targets.location.T, strict=False)),
    }
    if targets.mark is not None:
        columns["mark"] = targets.mark
    columns["sample_gap"] = _lists(samples.gap, np.float32)
    for name, coordinate in zip("xy", np.moveaxis(samples.location, -1, 0), strict=False):
        columns[f"sample_{name}"] = _lists(coordinate, np.float64)
    if samples.mark is not None and samples.mark_probability is not None:
        columns["sample_mark"] = _lists(samples.mark, np.int16)
        columns["mark_probability"] = _lists(samples.mark_probability, np.float32)
    return pa.table(columns)


def _stacked(coordinates: list[np.ndarray], *shape: int) -> np.ndarray:
    """Returns coordinates of `shape` as places (*shape, D)."""
    return np.stack(coordinates, axis=-1) if coordinates else np.empty((*shape, 0))


def _lists(values: np.ndarray, kind: type) -> pa.Array:
    """Returns (N, S) values as N lists."""
    n_rows, size = values.shape
    offsets = pa.array(np.arange(0, (n_rows + 1) * size, size, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(values.astype(kind).ravel()))


def _column(values: pa.Array, kind: type) -> np.ndarray:
    """Returns (N,) numbers, none of them missing."""
    if values.null_count or values.to_numpy(zero_copy_only=False).dtype != kind:
        raise ValueError(f"a column of {values.type} with {values.null_count} missing")
    return values.to_numpy(zero_copy_only=False)


def _matrix(lists: pa.ListArray) -> np.ndarray:
    """Returns (N, S) numbers, as many in every row."""
    lengths = np.diff(lists.offsets.to_numpy())
    if lists.null_count or len(set(lengths.tolist())) > 1:
        raise ValueError("rows with different numbers of draws")
    values = lists.flatten()
    if values.null_count:
        raise ValueError("draws that are missing")
    return values.to_numpy().reshape(len(lists), -1).astype(np.float64)
