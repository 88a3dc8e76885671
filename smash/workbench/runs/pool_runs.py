"""A spec's pool: its members' laws mixed, in equal shares or those that validation data ask for."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from smash.baselines.kept_pools import can_be_kept_together, save_pool
from smash.data.events import EventSequences, spread_subset
from smash.law.ensemble import Ensemble, MixedForecaster, PartPool
from smash.law.forecaster import Forecaster
from smash.law.stacking import Stacking, stacked, stacked_by_part
from smash.settings import SamplingSettings
from smash.workbench.runs import console
from smash.workbench.runs.logged_model import pack_pool
from smash.workbench.runs.stages import Run

ARTIFACT = "pool/pool.json"
POOL, KEPT = "pool", "kept"
"""Where a pool is kept: in the model's folder, and among its run's artifacts."""
TEST_CHOOSES = "protocol original keeps no validation data apart from the test set"


LEARNT = {"stacking": stacked, "stacking_by_part": stacked_by_part}
"""How shares are learnt, by the spec's name for it."""


def pool_of(run: Run, members: Mapping[str, Forecaster]) -> MixedForecaster:
    """Returns the members mixed in the shares that the spec asks for, after logging these.

    Shares are learnt on validation data that chose nothing, where the protocol has such; they are
    few numbers, so recalibration is fitted to the same events.
    """
    sequences, split = _events_to_learn_by(run)
    learn = LEARNT.get(run.spec.pool_weights)
    if learn is not None and sequences is not None:
        stacking = learn(members, spread_subset(sequences, run.spec.sampling.max_sequences))
        if stacking.lacking:
            console.warn(f"pool: {stacking.lacking}")
    else:
        stacking = Stacking((1 / len(members),) * len(members), 0)
    if learn is not None and not stacking.learnt_by:
        console.warn(
            "pool_weights: equal ones are taken, as "
            + ("a member lacks a density" if sequences is not None else TEST_CHOOSES)
        )
    _log(run, tuple(members), stacking, split if stacking.learnt_by else "none")
    if stacking.learnt_by and stacking.parts is not None:
        return PartPool(tuple(members.values()), stacking.parts)
    return Ensemble(tuple(members.values()), stacking.weight)


def keep_pool(
    run: Run, members: Mapping[str, Forecaster], pool: MixedForecaster, folder: Path
) -> None:
    """Saves a pool in `pool/` of the model's `folder`, and with the pool's `run`, to forecast with.

    One with a plug-in, or without a trained model, has no files.
    """
    if not can_be_kept_together(members):
        return
    place = folder / POOL
    save_pool(tuple(members), pool, place)
    run.tracker.log_artifact(place, KEPT)
    console.say(f"pool: kept in {place}, which smash forecast takes")


def packed_pool(kept: Path, sampling: SamplingSettings, folder: Path) -> Path | None:
    """Returns `folder`, which now holds the `kept` pool as an MLflow model; None without one."""
    return pack_pool(kept, sampling, folder) if kept.is_dir() else None


def _events_to_learn_by(run: Run) -> tuple[EventSequences | None, str]:
    """Returns validation events that chose nothing, else those that chose; None for test events."""
    if run.data.recalibration is not None:
        return run.data.recalibration, "recalibration"
    if run.spec.protocol == "original":
        return None, "test"
    return run.data.validation, "validation"


def _log(run: Run, names: tuple[str, ...], stacking: Stacking, split: str) -> None:
    shares = {"": stacking.weight}
    if stacking.learnt_by and stacking.parts is not None:
        shares = {f"{part}/": weight for part, weight in asdict(stacking.parts).items()}
    logged = {
        f"{part}{name}": weight
        for part, weights in shares.items()
        for name, weight in zip(names, weights, strict=True)
    }
    run.tracker.log_metrics({f"pool/{key}": weight for key, weight in logged.items()})
    about = {**asdict(stacking), "weight": logged, "split": split}
    run.tracker.log_text(json.dumps(about, indent=2) + "\n", ARTIFACT)
    said = "; ".join(
        f"{part.rstrip('/')} " * bool(part)
        + ", ".join(f"{name} {weight:.3f}" for name, weight in zip(names, weights, strict=True))
        for part, weights in shares.items()
    )
    by = f"by the log score of {stacking.learnt_by}, " if stacking.learnt_by else ""
    basis = f"{by}{stacking.n_events} events of validation data" if by else "equal"
    console.say(f"pool: {said} ({basis})")
