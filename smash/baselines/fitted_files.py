"""Fitted baselines as files, so that they can be forecast with again: nothing is pickled.

A baseline is a tree of plain dataclasses with numbers, text and arrays. `fitted.json` has the tree,
each dataclass by its name and fields, and arrays by their place in `arrays.safetensors`. What is
read may come from strangers: only the classes named here are made, of the fields that they have,
and what was made must give the law of a next event.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from smash.argument_checks import check_whole
from smash.baselines.climatology import Climatology
from smash.baselines.etas import Etas
from smash.baselines.etas_climb import EtasFit
from smash.baselines.hawkes import Hawkes
from smash.baselines.markov import Markov
from smash.baselines.mixture import Mixture
from smash.baselines.poisson import Poisson
from smash.baselines.walk import Walk
from smash.data.events import EventSequences
from smash.data.region import Region
from smash.data.resolution import GapCells
from smash.errors import CheckpointError, DataError
from smash.files import replacing_folder, write_json
from smash.law.forecaster import Forecaster
from smash.law.kernel_places import KernelDensity
from smash.law.log_normal_times import LogNormalTimes
from smash.law.magnitudes import GutenbergRichter
from smash.law.place_densities import AdaptiveKernels, NormalPlaces, UniformPlaces
from smash.simulate.etas_process import EtasParameters
from smash.simulate.etas_simulation import EtasProcess
from smash.simulate.process import HawkesProcess
from smash.untrusted_files import read_json, regular_size

FITTED, ARRAYS = "fitted.json", "arrays.safetensors"
FORMAT = 1
FORECASTERS = (Climatology, Markov, Walk, Poisson, Hawkes, Etas)
"""Baselines that are kept so; a mixture has files of its own."""
PLACES = (KernelDensity, AdaptiveKernels, NormalPlaces, UniformPlaces)
PARTS = (
    *(LogNormalTimes, *PLACES),
    *(GutenbergRichter, Region, HawkesProcess, EtasProcess, EtasParameters, EtasFit, GapCells),
)
"""What they are made of."""
KINDS: Mapping[str, type] = {kind.__name__: kind for kind in (*FORECASTERS, *PARTS)}
UNKNOWN = {(EtasFit, "covariance")}
"""Arrays in which some numbers may not be known."""
ALONE = {(LogNormalTimes, "n_events")}
"""Of how many events a law is: a fitted one of one, or of as many as are asked for."""
KIND, ARRAY, NUMBER = "kind", "array", "number"
"""Keys of a dataclass, an array, and of a number that JSON has no word for."""
SOUND: Mapping[type, Callable[[Any], bool]] = {
    LogNormalTimes: lambda law: bool((law.scale > 0).all()),
    KernelDensity: lambda law: bool((law.weight >= 0).all() and law.weight.sum() > 0),
    AdaptiveKernels: lambda law: bool(
        (law.bandwidth > 0).all() and (law.weight >= 0).all() and 0 <= law.wide_share <= 1
    ),
    GutenbergRichter: lambda law: law.b > 0,
    GapCells: lambda cells: cells.width >= 0,
    Poisson: lambda law: law.rate > 0,
    Hawkes: lambda law: bool((law.scale > 0).all()),
    HawkesProcess: lambda law: bool(
        min(law.decay, law.spread, law.background_spread, law.background.sum()) > 0
        and min(law.background.min(), law.excitation.min()) >= 0
    ),
    EtasParameters: lambda law: min(law.mu, law.productivity, law.c, law.p, law.d, law.q - 1) > 0,
}
"""What holds of the numbers of each."""
DEEPEST, MOST_MARKS = 12, 100_000


def can_be_kept(forecaster: Forecaster) -> bool:
    """Returns True for a baseline that has files."""
    return isinstance(forecaster, (Mixture, *FORECASTERS))


def save_fitted(forecaster: Forecaster, folder: Path) -> None:
    """Writes a fitted baseline to `folder`, whole or not at all.

    Raises:
        OutputError: when it cannot be written, or the folder holds more than one baseline.
        ValueError: for a forecaster that has no files (`can_be_kept`).
    """
    if isinstance(forecaster, Mixture):
        forecaster.save(folder)
        return
    if not isinstance(forecaster, FORECASTERS):
        raise ValueError(f"{type(forecaster).__name__} has no files")
    arrays: dict[str, NDArray] = {}
    tree = _written(forecaster, arrays)
    with replacing_folder(folder, (FITTED, ARRAYS)) as beside:
        write_json(beside / FITTED, {"format": FORMAT, "fitted": tree})
        (beside / ARRAYS).write_bytes(save(arrays))


def load_fitted(folder: Path, device: str = "cpu") -> Forecaster:
    """Returns the baseline saved in `folder`.

    Raises:
        CheckpointError: when a file is missing, damaged, or of no fitted baseline.
    """
    if not (folder / FITTED).exists():
        return Mixture.load(folder, device)
    content = read_json(folder / FITTED)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{folder / FITTED}: not a fitted baseline of format {FORMAT}")
    try:
        made = _read(content.get("fitted"), _arrays(folder / ARRAYS))
        if not isinstance(made, FORECASTERS):
            raise ValueError("not a forecaster")
        _try(made)
    except Exception as error:
        raise CheckpointError(
            f"{folder}: no fitted baseline, or a damaged one ({error}); get it, or save it, again"
        ) from error
    return made


def _written(value: Any, arrays: dict[str, NDArray]) -> Any:
    """Returns a value as JSON has it, its arrays put among `arrays`."""
    if isinstance(value, GapCells) or (is_dataclass(value) and not isinstance(value, type)):
        name = type(value).__name__
        if KINDS.get(name) is not type(value):
            raise ValueError(f"{name} has no files")
        parts = {part: _written(getattr(value, part), arrays) for part in _parts_of(type(value))}
        return {KIND: name, **parts}
    if isinstance(value, np.ndarray):
        arrays[str(len(arrays))] = np.ascontiguousarray(value)
        return {ARRAY: len(arrays) - 1}
    if isinstance(value, (tuple, list)):
        return [_written(part, arrays) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return {NUMBER: str(value)}
    return value


def _parts_of(kind: Any) -> dict[str, bool]:
    """Returns the fields of a part of a baseline, and whether each must be given."""
    if issubclass(kind, GapCells):
        return dict.fromkeys(kind._fields, True)
    return {
        part.name: part.default is MISSING and part.default_factory is MISSING
        for part in fields(kind)
    }


def _arrays(path: Path) -> dict[str, NDArray]:
    """Returns the arrays of a file, of numbers in float64 or int64."""
    regular_size(path, CheckpointError)
    try:
        found = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    for name, values in found.items():
        if values.dtype not in (np.float64, np.int64):
            raise ValueError(f"{path.name}: array {name} is of {values.dtype}")
    return found


def _read(value: Any, arrays: Mapping[str, NDArray], depth: int = 0, known: bool = True) -> Any:
    """Returns the value that JSON stands for; of an array that is `known`, all values are."""
    if depth > DEEPEST:
        raise ValueError("parts within parts without end")
    if isinstance(value, list):
        return tuple(_read(part, arrays, depth + 1) for part in value)
    if not isinstance(value, dict):
        return value
    if value.keys() == {ARRAY}:
        found = arrays[str(value[ARRAY])]
        if known and np.isnan(found).any():
            raise ValueError("an array has values that are no numbers")
        return found
    if value.keys() == {NUMBER}:
        return float(value[NUMBER])
    kind = KINDS.get(str(value.get(KIND)))
    if kind is None:
        raise ValueError(f"{value.get(KIND)!r} is no part of a baseline")
    named, given = _parts_of(kind), value.keys() - {KIND}
    missing = {part for part, needed in named.items() if needed} - given
    if missing or given - named.keys():
        raise ValueError(f"{kind.__name__} has the fields {', '.join(sorted(named))}")
    hints = get_type_hints(kind)
    parts = {}
    for name in given:
        known = (kind, name) not in UNKNOWN
        part = _read(value[name], arrays, depth + 1, known)
        alone = (kind, name) not in ALONE or part in (None, 1)
        if not (_is_a(part, hints[name]) and alone):
            raise ValueError(f"{kind.__name__}.{name} is no {hints[name]}")
        parts[name] = part
    made = kind(**parts)
    if not SOUND.get(kind, lambda made: True)(made):
        raise ValueError(f"{kind.__name__} has numbers that none can have")
    return made


def _is_a(value: Any, hint: Any) -> bool:
    """Returns True for a value of an annotation, as far as baselines use them."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_is_a(value, one) for one in get_args(hint))
    if origin is tuple:
        first, *_ = get_args(hint)
        return isinstance(value, tuple) and all(_is_a(part, first) for part in value)
    if origin is np.ndarray:
        return isinstance(value, np.ndarray)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint in (int, bool, str):
        return type(value) is hint
    if getattr(hint, "_is_protocol", False):  # a density of places
        return isinstance(value, PLACES)
    return isinstance(value, hint)


def _try(forecaster: Forecaster) -> None:
    """Checks that a law of a next event has draws that are numbers, after a history of one event.

    Raises:
        ValueError: when it has none.
    """
    check_whole("marks", forecaster.n_marks, 1, MOST_MARKS)
    for n_axes in (2, 0):
        history = EventSequences(
            *(np.zeros(1), np.zeros((1, n_axes)), np.zeros(1, np.int64), np.array([0, 1])),
            *(np.array([[0.0, 1.0]]), "a trial", np.full(1, 9.0)),
        )
        with np.errstate(all="ignore"):
            try:
                law = forecaster.law_after(history)
                drawn = law.sample(2, torch.Generator().manual_seed(0))
            except (DataError, ValueError, IndexError):
                if not n_axes:
                    raise
                continue
        if np.isnan(drawn.gap).any() or not np.isfinite(drawn.location).all():
            raise ValueError("its draws are no numbers")
        return
