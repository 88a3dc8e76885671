"""What a run says of itself when it is opened: tags, spec, environment, data and their audit."""

import json

from smash.data import Dataset
from smash.data.audit import audit
from smash.data.protocol import QUIRKS
from smash.workbench.runs.environment import environment_tags, environment_text
from smash.workbench.runs.kept_audits import kept_audit
from smash.workbench.runs.sources import SPEC_ARTIFACT
from smash.workbench.specs.experiment_spec import ExperimentSpec, dump_spec, flatten, spec_digest
from smash.workbench.tracking.tracker import Tracker

QUICK_NOTE = "Quick profile: few samples, few steps, few sequences. Its figures are no results."


def tags_of(spec: ExperimentSpec, stage: str, profile: str) -> dict[str, str]:
    """Returns the tags by which a run is found, and its description."""
    tags = {
        "dataset": spec.data.name,
        "protocol": spec.protocol,
        "profile": profile,
        "stage": stage,
        "spec_digest": spec_digest(spec),
        **environment_tags(spec.device),
    }
    notes = [spec.description] if spec.description else []
    if spec.protocol == "original":
        tags["quirks"] = ", ".join(QUIRKS)
        notes.append("Protocol original: " + "; ".join(QUIRKS.values()) + ".")
    if profile == "quick":
        notes.append(QUICK_NOTE)
    return tags | ({"mlflow.note.content": "\n\n".join(notes)} if notes else {})


def log_spec(tracker: Tracker, spec: ExperimentSpec, dataset: Dataset) -> None:
    """Logs the spec by key and whole, the environment, and what the data are."""
    tracker.log_params(flatten(spec))
    tracker.log_text(dump_spec(spec), SPEC_ARTIFACT)
    tracker.log_text(environment_text(), "environment.txt")
    tracker.log_dataset(dataset)
    tracker.log_text(dataset.summary().to_csv(), "data/summary.csv")
    shared = [pair for pair in dataset.shared if pair.distinct_targets]
    in_train = sum(p.share for p in shared if (p.first, p.second) == ("train", "test"))
    tracker.set_tags(
        {
            "data/published": str(dataset.published).lower(),
            "data/time_unit": dataset.time_unit,
            **({"data/location_unit": dataset.location_unit} if dataset.n_axes else {}),
            **{
                f"data/location_name_{axis}": name
                for axis, name in zip("xy", dataset.location_names, strict=False)
            },
            "data/warnings": "; ".join(dataset.notices) or "none",
            "data/shared_events": "; ".join(map(str, shared)) or "none",
            "data/test_in_train": f"{in_train:.6g}",
        }
    )


def log_audit(tracker: Tracker, dataset: Dataset) -> None:
    """Logs the data audit, which takes seconds on large data."""
    found = kept_audit(lambda: audit(dataset), "data", dataset)
    tracker.log_text(json.dumps(found, indent=2) + "\n", "data/audit.json")
