"""One run as MLflow holds it, and what its tags and metrics say of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

UNFINISHED = ("RUNNING", "SCHEDULED")


@dataclass(frozen=True)
class Run:
    """One run: what `search_runs` gives of it, and its place in the store."""

    run_id: str
    name: str
    experiment: str
    experiment_id: str
    status: str
    started: int
    ended: int | None
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]

    @property
    def parent(self) -> str | None:
        return self.tags.get("mlflow.parentRunId")

    @property
    def baseline(self) -> str | None:
        """The baseline's name; None for a model's run."""
        return self.tags.get("baseline")

    @property
    def dataset(self) -> str:
        return self.tags.get("dataset") or self.params.get("data.name") or "unknown data"

    @property
    def digest(self) -> str:
        """SHA-256 of the data, or "unknown"."""
        return self.tags.get("data/sha256", "unknown")

    @property
    def placed(self) -> bool:
        """False where its events have no places."""
        return "data/time_unit" not in self.tags or "data/location_unit" in self.tags

    @property
    def protocol(self) -> str:
        return self.tags.get("protocol") or self.params.get("protocol", "unknown")

    @property
    def quick(self) -> bool:
        return self.tags.get("profile") == "quick"

    @property
    def over_seeds(self) -> bool:
        """True for the parent of one run a seed, which holds their means."""
        return self.params.get("seeds", "[]") not in ("[]", "()")

    @property
    def study(self) -> bool:
        """True for the run of a whole search, False for that of a trial."""
        return "study" in self.tags and "trial" not in self.tags

    @property
    def trial(self) -> bool:
        return "trial" in self.tags

    @cached_property
    def figures(self) -> dict[str, float]:
        """The test figures by name, without `test/`."""
        prefix = "test/"
        return {k.removeprefix(prefix): v for k, v in self.metrics.items() if k.startswith(prefix)}

    @property
    def tested(self) -> bool:
        return "n_events" in self.figures and not self.over_seeds

    @property
    def validated(self) -> bool:
        """True where a model was scored on validation data, but for trials of a study."""
        return "validation/relative_score" in self.metrics and not (self.trial or self.over_seeds)

    @property
    def seconds(self) -> float | None:
        return None if self.ended is None else (self.ended - self.started) / 1000
