"""What a saved model says of itself, read strictly: types, bounds, and what must agree.

The bounds are those of specs (`smash.settings`). A description is only believed where it could
have been written: one that was altered must not fail later, or forecast what is not a number.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
import pandas as pd
from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from smash.data.events import LARGEST
from smash.data.region import Region
from smash.data.scaling import Scaler
from smash.errors import CheckpointError, DataError
from smash.settings import ModelSettings, goes_with_process
from smash.untrusted_files import read_json

FORMAT = 1
_STRICT = ConfigDict(
    extra="forbid", strict=True, allow_inf_nan=False, revalidate_instances="always"
)
_LOG_REACH = 700.0
"""The exponential of a larger number is none."""

Kind = TypeVar("Kind")
AboutKind = TypeVar("AboutKind")
Marks = Annotated[int, Ge(1), Le(100_000)]
LawPoints = Annotated[int, Ge(0), Le(65_536)]


@dataclass(frozen=True)
class Description(Generic[AboutKind]):
    """What is beside a model's weights; `about` is `smash.model.smash.About`."""

    settings: ModelSettings
    n_marks: int
    scaler: Scaler
    about: AboutKind
    law_points: int
    law_tail: bool


def read_description(path: Path, about_kind: type[AboutKind]) -> Description[AboutKind]:
    """Returns the description of a saved model.

    Raises:
        CheckpointError: naming the file, the key and what is expected there.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a model of format {FORMAT}")
    # Models saved before there was a likelihood objective say nothing of law points, those saved
    # before their rates went on beyond them nothing of a tail.
    kinds = {"n_marks": Marks, "settings": ModelSettings, "scaler": Scaler, "about": about_kind}
    parts = checked_parts(
        {"format": int, **kinds, "law_points": LawPoints, "law_tail": bool},
        {"law_points": 0, "law_tail": False, **content},
        path,
    )
    del parts["format"]
    description = Description(**parts)
    for problem in (
        *_scaler_problems(description.scaler),
        *_about_problems(description.about, description.n_marks),
        *_base_problems(description),
        *_told_problems(description),
        *_name_problems(description.about, description.scaler),
    ):
        raise CheckpointError(f"{path}: {problem}; get or save the model again")
    return description


def checked_parts(kinds: dict[str, Any], content: Any, path: Path) -> dict[str, Any]:
    """Returns the named parts of a JSON mapping, each of its own kind, such as a dataclass.

    Raises:
        CheckpointError: naming the file, the first key that is wrong and what is expected there.
    """
    try:
        # By way of JSON, where a list may become a tuple and an int a float, and nothing else may.
        parts = _model(tuple(kinds.items())).model_validate_json(json.dumps(content))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        first, more = problems[0], len(problems) - 1
        key = ".".join(str(part)[:80] for part in first["loc"]) or "it"
        also = f" (and {more} more)" if more else ""
        raise CheckpointError(
            f"{path}: {key}: {first['msg']}, given {_given(first['input'])}{also}; get or save it "
            "again with this version"
        ) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: holds more than plain values ({error})") from error
    return {name: getattr(parts, name) for name in kinds}


@cache
def _model(kinds: tuple[tuple[str, Any], ...]) -> type[BaseModel]:
    fields: dict[str, Any] = {name: (kind, ...) for name, kind in kinds}
    return create_model("Content", __config__=_STRICT, **fields)


def _given(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def _scaler_problems(scaler: Scaler) -> Iterator[str]:
    """Yields what no scaler that was fitted to data has."""
    places = scaler.location_low, scaler.location_high, scaler.location_cell
    if {len(part) for part in places} not in ({0}, {2}):
        yield "scaler.location_low, _high and _cell: expected two numbers each, or none"
        return
    axes = zip(("location, x", "location, y"), zip(*places, strict=True), strict=False)
    limits = {"gap": (scaler.gap_low, scaler.gap_high, 0.0), **dict(axes)}
    for what, (low, high, cell) in limits.items():
        if not (low < high and math.isfinite(2 * (high - low)) and 2 / (high - low) < math.inf):
            yield f"scaler: limits of {what}: expected a low below a high, given {low} and {high}"
        elif not 0 <= cell <= high - low:
            yield f"scaler: cell of {what}: expected 0 to the width of its limits, given {cell}"
    greatest = scaler.gap_high
    if scaler.log_normalization:
        if max(abs(scaler.gap_low), abs(scaler.gap_high)) > _LOG_REACH:
            yield f"scaler.gap_low, scaler.gap_high: expected logarithms within ±{_LOG_REACH:g}"
            return
        greatest = math.exp(scaler.gap_high)
    if not 0 <= scaler.gap_cell <= greatest:
        yield f"scaler.gap_cell: expected 0 to the longest gap, given {scaler.gap_cell}"
    if not scaler.floor > 0:
        yield f"scaler.floor: expected a number > 0, given {scaler.floor}"


def _about_problems(about: Any, n_marks: int) -> Iterator[str]:
    """Yields what cannot be said of data with that many marks."""
    names, edges = about.mark_names, about.mark_edges
    if names and len(names) != n_marks:
        yield f"about.mark_names: expected a name for each of {n_marks} marks, given {len(names)}"
    if len(set(names)) < len(names):
        yield "about.mark_names: expected every name once"
    if list(edges) != sorted(set(edges)) or len(edges) >= max(n_marks, 1):
        yield f"about.mark_edges: expected growing values, fewer than the {n_marks} marks"
    if about.window_length is not None and not about.window_length > 0:
        yield f"about.window_length: expected a number > 0, given {about.window_length}"
    if about.region and not _is_region(about.region):
        yield "about.region: expected the corners of a polygon"
    if about.time_origin and not _is_moment(about.time_origin):
        yield f"about.time_origin: expected a timestamp, given {about.time_origin[:80]!r}"


def _base_problems(description: "Description[Any]") -> Iterator[str]:
    """Yields what no model that starts at a process has beside it."""
    settings = description.settings
    fits = goes_with_process(settings, description.law_points > 0)
    if settings.base == "self_exciting" and not fits:
        yield (
            "settings.base: self_exciting goes with location_law history, time_law grid and "
            "law_points above 0"
        )


def _told_problems(description: "Description[Any]") -> Iterator[str]:
    """Yields that a scaler knows of other things than the model is told of."""
    settings, scaler = description.settings, description.scaler
    told = {
        "recent_rates": (settings.recent_rates, scaler.mean_gap, "mean_gap"),
        "magnitudes": (settings.magnitudes, scaler.magnitude_mean, "magnitude_mean"),
    }
    for key, (asked, known, name) in told.items():
        if asked != (known > 0) or not 0 <= known < LARGEST:
            yield f"scaler.{name}: expected a number > 0 with settings.{key}, else 0, given {known}"
    if abs(scaler.magnitude_low) > LARGEST:
        yield f"scaler.magnitude_low: expected a magnitude, given {scaler.magnitude_low}"


def _name_problems(about: Any, scaler: Scaler) -> Iterator[str]:
    """Yields that there are not as many names of coordinates as there are coordinates."""
    if len(about.location_names) != scaler.n_axes:
        yield (
            f"about.location_names: expected {scaler.n_axes or 'no'} names, given "
            f"{len(about.location_names)}"
        )


def _is_region(corners: tuple[tuple[float, float], ...]) -> bool:
    try:
        return Region(np.array(corners)).area > 0
    except DataError:
        return False


def _is_moment(text: str) -> bool:
    try:
        return not pd.isna(pd.Timestamp(text))
    except (ValueError, OverflowError, TypeError):
        return False
