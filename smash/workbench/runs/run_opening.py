"""A run opened, new or once more: held against other processes, described, ended as it ended."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from smash.data import Dataset
from smash.errors import OutputError, SpecError
from smash.files import replacing
from smash.workbench.runs import console
from smash.workbench.runs.environment import environment_tags
from smash.workbench.runs.run_description import log_audit, log_spec
from smash.workbench.runs.sources import SPEC_ARTIFACT, run_folder, spec_tag
from smash.workbench.specs.experiment_spec import ExperimentSpec, dump_spec
from smash.workbench.tracking.store import Store
from smash.workbench.tracking.tracker import Tracker


@dataclass(frozen=True)
class Opening:
    """How a run is opened: what it is called, by which tags it is found, below which run.

    `earlier` is the run that is gone on with, where there is one; `audited` has the data's audit
    logged too.
    """

    name: str
    tags: Mapping[str, str]
    parent: str | None = None
    earlier: str | None = None
    audited: bool = False


@contextmanager
def opened(
    store: Store, spec: ExperimentSpec, dataset: Dataset, opening: Opening
) -> Iterator[Tracker]:
    """Yields the tracker of a run that says what it is, as a new one does, and ends it.

    Raises:
        SpecError: when another process holds the run.
        TrackingError: when it cannot be opened, or not all of it could be sent.
    """
    # The lock and the hint outlive the run: what is still being sent may be interrupted too.
    with ExitStack() as after:
        said = opening.parent is None
        if opening.earlier:
            after.enter_context(_held(opening.earlier))
            if said:
                after.enter_context(_saying_how_to_resume(opening.earlier))
        with _tracker(store, spec, opening) as tracker:
            if opening.earlier:
                again = {"resumed": "true", "stage": opening.tags["stage"]}
                tracker.set_tags(again | environment_tags(spec.device))
            else:
                if said:
                    after.enter_context(_saying_how_to_resume(tracker.run_id))
                after.enter_context(_held(tracker.run_id))
            _keep_spec(run_folder(tracker.run_id), spec)
            log_spec(tracker, spec, dataset)
            if opening.audited:
                log_audit(tracker, dataset)
            yield tracker


def _tracker(store: Store, spec: ExperimentSpec, opening: Opening) -> Tracker:
    if opening.earlier:
        return store.resume(opening.earlier)
    tags = opening.tags if opening.parent else {**opening.tags, **spec_tag(spec)}
    return store.start(opening.name, tags, opening.parent)


def _keep_spec(folder: Path, spec: ExperimentSpec) -> None:
    """Writes the spec where the run can be gone on with, even if none of it reaches the server."""
    if not (folder / SPEC_ARTIFACT).exists():
        with replacing(folder / SPEC_ARTIFACT) as beside:
            beside.write_text(dump_spec(spec))


@contextmanager
def _held(run_id: str) -> Iterator[None]:
    """Keeps other processes from going on with the run meanwhile."""
    folder = run_folder(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "run.lock", blocking=False):
            yield
    except Timeout:
        raise SpecError(
            f"run {run_id} is still going on in another process here; wait for its end, or stop it"
        ) from None


@contextmanager
def _saying_how_to_resume(run_id: str) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, OSError, OutputError):
        console.say(f"interrupted; go on with: python run_experiment.py --resume {run_id}")
        raise
