"""Data sets by name: the published three, the simulated one, and the user's own files."""

import difflib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from smash.catalogue.downloads import PUBLISHED, Published, find_files
from smash.data.dataset import Dataset, build_dataset
from smash.data.events import EventSequences, Place
from smash.data.geography import LENGTHS, Geography, check_degrees
from smash.data.places import DEGREES, KILOMETRES, unit_of, without_seam
from smash.data.readers import own_splits, read_splits, with_places_asked
from smash.data.region import Region
from smash.data.tables import Table
from smash.data.tally import Tally, read_tally
from smash.errors import DataError
from smash.settings import DATASETS, Columns, DataSettings

_SPLITS = ("train", "validation", "test")


def load_dataset(settings: DataSettings) -> Dataset:
    """Returns the data set that `settings` names: own files if it names any, else by its name.

    The published sets come from the folder in SMASH_DATA, else from a download that is checked
    and cached (see `smash.catalogue.downloads`); `simulated` is generated from its seed.

    Raises:
        DataError: when the name is unknown, a file is missing or wrong (naming file, sequence and
            event), or marks are asked for where there are none.
    """
    dataset = _find_dataset(settings)
    if settings.places is False and dataset.n_axes:
        dataset = dataset.without_places()
    return _with_notes(dataset)


def _with_notes(dataset: Dataset) -> Dataset:
    """Returns a data set that warns of what was done to its rows."""
    dropped = tuple(
        f"{events.name}: {events.dropped} sequences of fewer than two events were dropped, "
        f"{events.dropped_events} rows in all"
        for _, events in dataset.splits()
        if events.dropped
    )
    notes = dict.fromkeys(note for _, events in dataset.splits() for note in events.notes)
    return replace(dataset, warnings=(*dataset.warnings, *notes, *dropped))


def _find_dataset(settings: DataSettings) -> Dataset:
    if settings.path or settings.train or settings.validation or settings.test:
        return _own_dataset(settings)
    name = settings.name.lower()
    if name == "simulated":
        return _simulated_dataset(settings)
    if name in PUBLISHED:
        return _published_dataset(name, PUBLISHED[name], settings)
    nearest = difflib.get_close_matches(name, DATASETS, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise DataError(
        f"no data set is called {settings.name!r}; {hint}Known are {', '.join(DATASETS)}; for own "
        "files set data.train, data.validation and data.test, or data.path"
    )


def _published_dataset(name: str, about: Published, settings: DataSettings) -> Dataset:
    files = find_files(name, about)
    splits, _ = read_splits(files.paths, settings.columns, settings.marked)
    if about.window_end is not None:
        splits = {
            split: _with_window_end(events, about.window_end) for split, events in splits.items()
        }
    return build_dataset(
        name,
        **splits,
        time_unit=settings.time_unit or about.time_unit,
        location_unit=settings.location_unit or about.location_unit,
        location_names=about.location_names,
        source=files.source,
        published=not files.warnings,
        warnings=files.warnings,
    )


def _with_window_end(events: EventSequences, end: float) -> EventSequences:
    """Returns the events observed until `end`, or later where altered files go on later."""
    window = np.stack([events.window[:, 0], np.maximum(events.window[:, 1], end)], axis=1)
    return replace(events, window=window)


def _simulated_dataset(settings: DataSettings) -> Dataset:
    # Imported here, as it needs torch, which takes seconds to import.
    from smash.simulate.simulator import simulate_dataset

    dataset = simulate_dataset(settings.simulator)
    dataset = replace(
        dataset,
        time_unit=settings.time_unit or dataset.time_unit,
        location_unit=settings.location_unit or dataset.location_unit,
    )
    return dataset.without_marks() if settings.marked is False else dataset


def _own_dataset(settings: DataSettings) -> Dataset:
    named = {split: getattr(settings, split) for split in _SPLITS}
    given = {split: path for split, path in named.items() if path}
    if settings.path and given:
        raise DataError(
            f"data.path and data.{next(iter(given))} are both set; give one file with a split "
            "column as data.path, or one file a split"
        )
    missing = [f"data.{split}" for split in _SPLITS if split not in given]
    if given and missing:
        raise DataError(
            f"{' and '.join(missing)} not set, but data.{next(iter(given))} is; every split "
            "needs its file"
        )
    source = settings.path or given["train"]
    return _dataset(settings.path or given, settings, Path(source))


def table_dataset(table: Table, settings: DataSettings) -> Dataset:
    """Returns the data set whose splits a table holds, as `load_dataset` reads it from a file."""
    return _with_notes(_dataset(table, settings, Path(table.name)))


def _dataset(
    read_from: Table | str | dict[str, str], settings: DataSettings, source: Path
) -> Dataset:
    settings = with_places_asked(settings)
    splits, columns = own_splits(read_from, settings), settings.columns
    if missing := [split for split in _SPLITS if split not in splits.events]:
        raise DataError(
            f"{source}: holds {', '.join(splits.events)} and no {' or '.join(missing)}; name a "
            "file a split: data.train, data.validation and data.test"
        )
    events, geography, notes = _on_the_plane(splits.events, settings)
    tally = read_tally(Path(read_from)) if isinstance(read_from, str) else None
    return build_dataset(
        _own_name(settings, source),
        **events,
        mark_names=splits.mark_names or settings.mark_names,
        time_unit=splits.clock.unit,
        location_unit=unit_of(settings.location_unit, columns),
        location_names=columns.axes,
        geography=geography,
        written_names=_table_columns(settings).axes,
        warnings=notes,
        time_origin=splits.clock.origin,
        mark_edges=settings.mark_edges,
        columns=_table_columns(settings),
        source=str(source),
        completeness=settings.completeness,
        region=_region(settings, geography),
        tally=tally if tally and _agrees(tally, events) else None,
    )


def _region(settings: DataSettings, geography: Geography) -> Region | None:
    """Returns the region of `settings` on the plane of places; None where there is none."""
    if not settings.region:
        return None
    corners = np.array(settings.region)
    if geography.geographic:
        check_degrees(corners, lambda row: f"data.region, corner {row}")
    return Region(geography.outline(corners))


def _agrees(tally: Tally, splits: Mapping[str, EventSequences]) -> bool:
    """Returns whether a table is as it was when its rows were counted."""
    return tally.kept + tally.repeated == sum(part.n_events for part in splits.values())


def _on_the_plane(
    splits: dict[str, EventSequences], settings: DataSettings
) -> tuple[dict[str, EventSequences], Geography, tuple[str, ...]]:
    """Returns splits whose longitudes have no seam, how places are written, and what was done.

    Raises:
        DataError: when places in degrees cannot be, or are said to be projected already.
    """
    if not any(part.n_axes for part in splits.values()):
        return splits, LENGTHS, ()
    unit = unit_of(settings.location_unit, settings.columns)
    if settings.projection is not None:
        if unit != KILOMETRES:
            raise DataError(
                f"data.projection is set and data.location_unit is {unit}: columns of projected "
                f"places are km east and north of data.projection, as `smash data check` "
                f"writes them; set data.location_unit to {KILOMETRES}, or leave data.projection out"
            )
        return splits, Geography(origin=settings.projection), ()
    if unit != DEGREES:
        return splits, LENGTHS, ()
    names, parts = list(splits), list(splits.values())
    for part in parts:
        check_degrees(part.location, Place(part.name, part.offsets))
    ends = np.cumsum([part.n_events for part in parts])
    first = np.concatenate([[0], ends[:-1]])

    def where(row: int) -> str:
        i = int(np.searchsorted(ends, row, side="right"))
        return Place(parts[i].name, parts[i].offsets)(row - int(first[i]))

    written = np.concatenate([part.location for part in parts])
    flat, cut, notes = without_seam(written, where, settings.longitude_cut)
    flattened = {
        name: replace(part, location=location)
        for name, part, location in zip(names, parts, np.split(flat, ends[:-1]), strict=True)
    }
    # A cut that is written down was said when it was chosen.
    return flattened, Geography(cut), notes if settings.longitude_cut is None else ()


def _table_columns(settings: DataSettings) -> Columns:
    """Returns the columns of the user's own table, which forecasts look for in histories."""
    columns = settings.columns
    if columns.axes:
        columns = replace(
            columns, x=settings.x_column or columns.x, y=settings.y_column or columns.y
        )
    if settings.time_column:
        # Windows cut from a table number them as sequences of their own.
        columns = replace(
            columns, time=settings.time_column, sequence=None, mark=None, magnitude=None
        )
    return Columns(
        columns.time,
        columns.x,
        columns.y,
        settings.mark_column or columns.mark,
        magnitude=settings.magnitude_column or columns.magnitude,
        sequence=settings.sequence_column or columns.sequence,
    )


def _own_name(settings: DataSettings, source: Path) -> str:
    """Returns the name given, or the file's or its folder's where the name is one of ours."""
    if settings.name.lower() not in DATASETS:
        return settings.name
    return source.stem if settings.path else source.resolve().parent.name
