"""A pool of a model and baselines as a folder, to forecast with: `smash.load` reads it.

`pool.json` has the members' names and shares; below `members/` each has a folder, of its number:
a model's checkpoint or a fitted baseline (`smash.baselines.fitted_files`).
"""

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from smash.baselines.etas import Etas
from smash.baselines.fitted_files import can_be_kept, load_fitted, save_fitted
from smash.errors import CheckpointError
from smash.files import replacing_folder, write_json
from smash.forecast.event_forecaster import EventForecaster
from smash.forecast.model_forecaster import FORECAST, ModelForecaster
from smash.law.ensemble import Ensemble, MixedForecaster, PartPool
from smash.law.forecaster import Forecaster
from smash.law.mixed_law import PartShares
from smash.manifest import POOL
from smash.model.description import checked_parts
from smash.model.smash import Smash
from smash.settings import SamplingSettings
from smash.untrusted_files import read_json

MEMBERS = "members"
FORMAT = 1
MOST_MEMBERS = 100
MODEL = "model"
"""The name of the member that is a trained model."""


def can_be_kept_together(members: Mapping[str, Forecaster]) -> bool:
    """Returns True for a pool of one trained model, called `model`, and baselines with files."""
    models = [name for name, one in members.items() if isinstance(one, ModelForecaster)]
    others = [one for name, one in members.items() if name != MODEL]
    return models == [MODEL] and all(map(can_be_kept, others))


def save_pool(names: tuple[str, ...], pool: MixedForecaster, folder: Path) -> None:
    """Writes a pool of members called `names` to `folder`, whole or not at all.

    Raises:
        OutputError: when it cannot be written, or the folder holds more than a pool.
        ValueError: when a member has no files (`can_be_kept_together`).
    """
    members = dict(zip(names, pool.members, strict=True))
    if not can_be_kept_together(members):
        raise ValueError("a pool is kept that has one trained model and baselines with files")
    shares: dict[str, Any] = {"whole": None, "parts": None}
    if isinstance(pool, PartPool):
        shares["parts"] = asdict(pool.shares)
    elif isinstance(pool, Ensemble):
        shares["whole"] = pool.shares.tolist()
    with replacing_folder(folder, (POOL, MEMBERS)) as beside:
        write_json(beside / POOL, {"format": FORMAT, "names": list(names), **shares})
        for number, member in enumerate(pool.members):
            place = beside / MEMBERS / str(number)
            place.parent.mkdir(exist_ok=True)
            if isinstance(member, ModelForecaster):
                member.model.save(place)
            else:
                save_fitted(member, place)


def load_pool(
    folder: Path, device: str = "cpu", sampling: SamplingSettings = FORECAST
) -> EventForecaster:
    """Returns the pool saved in `folder`, which speaks of events as its model does.

    Raises:
        CheckpointError: when a file is missing, damaged, or members do not go together.
    """
    kinds = {
        "format": int,
        "names": tuple[str, ...],
        "whole": tuple[float, ...] | None,
        "parts": PartShares | None,
    }
    told = checked_parts(kinds, read_json(folder / POOL), folder / POOL)
    names, whole, parts = told["names"], told["whole"], told["parts"]
    of_each = [whole] if parts is None else [parts.time, parts.mark, parts.place]
    fits = (
        told["format"] == FORMAT and names.count(MODEL) == 1 and (whole is None) != (parts is None)
    )
    if (
        not fits
        or len(names) > MOST_MEMBERS
        or not all(_shares(one, len(names)) for one in of_each)
    ):
        raise CheckpointError(
            f"{folder / POOL}: expected format {FORMAT}, names of members with one `{MODEL}` among "
            "them, and shares of each that sum to 1, of the whole or of parts"
        )
    model = Smash.load(folder / MEMBERS / str(names.index(MODEL)), device)
    members: list[Forecaster] = []
    for number, name in enumerate(names):
        place = folder / MEMBERS / str(number)
        member = ModelForecaster(model, sampling) if name == MODEL else load_fitted(place, device)
        if member.n_marks != model.n_marks:
            raise CheckpointError(
                f"{place}: {name} is of {member.n_marks} marks, the model of {model.n_marks}; get "
                "the pool again"
            )
        members.append(member)
    every = tuple(members)
    pool = PartPool(every, parts) if parts is not None else Ensemble(every, whole)
    return EventForecaster(pool, model.about, model.scaler.region)


def model_among(pool: EventForecaster) -> Smash:
    """Returns the trained model of a loaded pool."""
    assert isinstance(pool.forecaster, MixedForecaster)
    [model] = [one.model for one in pool.forecaster.members if isinstance(one, ModelForecaster)]
    return model


def asks_magnitudes(pool: EventForecaster) -> bool:
    """Returns True where a member of a loaded pool needs each event's magnitude."""
    assert isinstance(pool.forecaster, MixedForecaster)
    told = model_among(pool).scaler.tells_magnitudes
    return told or any(isinstance(one, Etas) for one in pool.forecaster.members)


def _shares(shares: tuple[float, ...] | None, n: int) -> bool:
    """Returns True for shares of `n` members."""
    if shares is None or len(shares) != n:
        return False
    return min(shares) >= 0 and math.isclose(sum(shares), 1, abs_tol=1e-6)
