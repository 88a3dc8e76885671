"""A run's model kept with its spec and scores, beside the code.

The folder `experiments/pretrained/NAME` needs no tracking server: `smash.load`, `--from` and
`smash forecast` take it, and check by its manifest that it is as it was kept.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smash.workbench.specs.experiment_spec import ExperimentSpec

PRETRAINED = Path("experiments/pretrained")
"""Where models are kept, in the current folder."""
SCORES = "scores.json"


FILES = ("path", "train", "validation", "test")
"""Settings of the data that name files."""


def without_machine(spec: "ExperimentSpec", data: str) -> "ExperimentSpec":
    """Returns the spec without the paths of own files outside the project.

    The data set is then called by its name alone, and whoever loads it is asked for files.
    """
    from smash.workbench.runs.portable_paths import portable_path

    given = {key: path for key in FILES if (path := getattr(spec.data, key))}
    portable: dict[str, Any] = {key: portable_path(path) for key, path in given.items()}
    if None in portable.values():
        portable = dict.fromkeys(given) | {"name": data}
    return spec.model_copy(update={"data": replace(spec.data, **portable)})


def keep(run_id: str, folder: Path) -> Path:
    """Returns `folder`, which now holds a run's model, spec, scores and their manifest.

    Raises:
        TrackingError: when there is no such run, or it has no model.
        CheckpointError: when its model is damaged.
        OutputError: when it cannot be written, or `folder` holds anything but a kept model.
    """
    # Imported here so that --help and wrong flags answer at once.
    from smash.files import replacing_folder, write_json, write_text
    from smash.manifest import CARD, MANIFEST, write_manifest
    from smash.model.smash import PARTS, Smash
    from smash.workbench.runs.sources import SPEC_ARTIFACT, fetch_model, fetch_spec
    from smash.workbench.specs.experiment_spec import dump_spec
    from smash.workbench.tracking.server import find_run

    run, checkpoint = find_run(run_id), fetch_model(run_id)
    about = Smash.load(checkpoint).about
    with replacing_folder(folder, (MANIFEST, *PARTS, SPEC_ARTIFACT, SCORES, CARD)) as beside:
        for name in PARTS:
            if (checkpoint / name).exists():
                shutil.copy(checkpoint / name, beside / name)
        spec = dump_spec(without_machine(fetch_spec(run_id), about.dataset))
        write_text(beside / SPEC_ARTIFACT, spec)
        scores = {name: value for name, value in run.data.metrics.items() if name[:4] == "test"}
        write_json(beside / SCORES, {"run_id": run_id, "scores": dict(sorted(scores.items()))})
        write_manifest(beside, about.dataset, about.digest)
    return folder
