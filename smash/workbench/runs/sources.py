"""What `--from` accepts, turned into a model: a run, a folder, an original checkpoint."""

import base64
import shutil
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from smash.data.dataset import Dataset
from smash.data.protocol import prepare
from smash.errors import CheckpointError, SpecError, TrackingError
from smash.files import replacing, replacing_folder
from smash.model.original_checkpoint import is_original, load_original
from smash.model.smash import DESCRIPTION, PARTS, About, Smash
from smash.shipped_files import find_model
from smash.workbench.specs.contradictions import contradictions
from smash.workbench.specs.experiment_spec import ExperimentSpec, dump_spec, load_spec
from smash.workbench.tracking.server import download_artifact, download_model, find_run
from smash.workbench.tracking.tracker import MAX_TAG

MODEL_ARTIFACT = "checkpoints/best"
SPEC_ARTIFACT = "spec.yaml"
SPEC_TAG = "spec/packed"
"""The tag with a run's spec, compressed: all that there is of a run killed as it was made."""
MOST_BYTES = 10**6
"""Of a spec that a tag may hold."""
RUNS = Path("runs")
"""Where runs keep what they need to resume, a folder each, beside the tracking database."""


@dataclass(frozen=True)
class Source:
    """A trained model and where it came from, for tags; `original` for the original's files."""

    model: Smash
    name: str
    original: bool = False
    warning: str = ""


def run_folder(run_id: str) -> Path:
    """Returns the local folder of a run."""
    return RUNS / run_id


def fetch_model(run_id: str) -> Path:
    """Returns the folder with a run's chosen model, downloaded unless it is here already.

    Raises:
        TrackingError: when the run or its model cannot be had.
    """
    folder = run_folder(run_id) / MODEL_ARTIFACT
    if (folder / "model.json").exists():
        return folder
    with replacing_folder(folder, PARTS) as beside, tempfile.TemporaryDirectory() as scratch:
        # Stores differ in where below a folder they put what is downloaded.
        found = download_artifact(run_id, MODEL_ARTIFACT, Path(scratch))
        shutil.copytree(found, beside, dirs_exist_ok=True)
    return folder


def find_checkpoint(reference: str) -> Path:
    """Returns the folder with the model of a run, or of a registered model.

    Args:
        reference: a run's id, or a model's address such as `models:/quakes@champion`,
            `models:/quakes/1` or `runs:/RUN_ID/model`. A folder is returned as it is.

    Raises:
        TrackingError: when there is no such run or model, or it was not made by this workbench.
    """
    if Path(reference).is_dir():
        return Path(reference)
    if ":/" not in reference:
        return fetch_model(reference)
    folder = download_model(reference)
    found = sorted(folder.glob(f"artifacts/*/{DESCRIPTION}"))
    if not found:
        raise TrackingError(f"{reference}: a model of another kind; name one logged by a run here")
    return found[0].parent


def fetch_spec(run_id: str, overrides: tuple[str, ...] = ()) -> ExperimentSpec:
    """Returns the resolved spec that a run logged.

    Raises:
        TrackingError: when there is no such run, or it logged no spec.
    """
    tags = find_run(run_id).data.tags
    path = run_folder(run_id) / SPEC_ARTIFACT
    if not path.exists():
        try:
            path = download_artifact(run_id, SPEC_ARTIFACT, run_folder(run_id))
        except TrackingError:
            if SPEC_TAG not in tags:
                raise
            text = _unpacked(tags[SPEC_TAG], run_id)
            with replacing(path) as beside:
                beside.write_text(text, encoding="utf-8")
    return load_spec(path, overrides)


def spec_tag(spec: ExperimentSpec) -> dict[str, str]:
    """Returns the tag that a run is made with, so that it never is without its spec.

    Nothing where the spec is too long for a tag.
    """
    packed = base64.b64encode(zlib.compress(dump_spec(spec).encode(), 9)).decode("ascii")
    return {SPEC_TAG: packed} if len(packed) <= MAX_TAG else {}


def _unpacked(tag: str, run_id: str) -> str:
    """Returns the spec that a run's tag holds."""
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(base64.b64decode(tag, validate=True), MOST_BYTES)
        if not unpacking.eof:
            raise ValueError("it does not end")
        return text.decode()
    except (ValueError, zlib.error) as error:
        raise TrackingError(
            f"run {run_id}: the tag {SPEC_TAG} holds no spec ({error}); run its spec anew"
        ) from error


def load_source(source: str, spec: ExperimentSpec, dataset: Dataset, device: str) -> Source:
    """Returns the model named by `--from`: a run's id, a saved folder, a kept model
    (`pretrained:NAME`), or an original checkpoint.

    An original checkpoint carries neither noise levels nor limits: those are the spec's and, as
    it was trained so, the limits over all splits.

    Raises:
        CheckpointError, TrackingError: when there is no such model or it is damaged.
    """
    path = find_model(source)
    if is_original(path):
        scaler = prepare(dataset, "original", spec.scaling).scaler
        model = load_original(path, spec.model, scaler, About.of(dataset))
        if model.n_marks != dataset.n_marks:
            raise CheckpointError(
                f"{path}: it knows {model.n_marks} marks, {dataset.name} has {dataset.n_marks}"
            )
        return Source(model.to(device), str(path), original=True)
    if path.is_dir():
        model = Smash.load(path, device)
    elif path.exists() or "/" in source or path.suffix:
        raise CheckpointError(
            f"{source}: neither a folder with a saved model nor a checkpoint of the original "
            "(.pkl); name one of these, or a run's id"
        )
    else:
        model = Smash.load(fetch_model(source), device)
    return Source(model, source, warning=_mismatch(model, dataset))


def _mismatch(model: Smash, dataset: Dataset) -> str:
    """Returns a warning when a model was trained on other data; raises when it cannot be used."""
    if model.n_marks != dataset.n_marks:
        raise CheckpointError(
            f"the model knows {model.n_marks} marks, {dataset.name} has {dataset.n_marks}; "
            "name the data it was trained on"
        )
    if model.about.digest and model.about.digest != dataset.digest:
        return f"the model was trained on other events ({model.about.dataset}) than it is tested on"
    return ""


def with_source(spec: ExperimentSpec, source: Source) -> ExperimentSpec:
    """Returns the spec as it holds for a given model: its sizes, and for originals its protocol.

    Raises:
        SpecError: when the spec asks of the model what it was not trained for.
    """
    kind = spec.objective.kind
    if source.model.knows_times != spec.objective.clean_times:
        kind = "likelihood" if source.model.knows_times else "score_matching"
    adopted = spec.model_copy(
        update={
            "model": replace(source.model.settings),
            "objective": replace(spec.objective, kind=kind),
            "protocol": "original" if source.original else spec.protocol,
        }
    )
    if problems := contradictions(adopted):
        raise SpecError("\n  ".join([f"--from {source.name}: not with this spec", *problems]))
    return adopted
