"""The model: encoder, score network and scaling, saved and loaded together."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from smash.data.batching import Batch
from smash.data.clock import Clock
from smash.data.completeness import LN10
from smash.data.dataset import Dataset
from smash.data.events import EventSequences
from smash.data.geography import Geography
from smash.data.scaling import Scaler
from smash.errors import CheckpointError, SpecError
from smash.files import as_json, replacing_folder
from smash.law.magnitudes import GutenbergRichter
from smash.manifest import RECALIBRATION, check_manifest
from smash.model.climatology_base import ClimatologyHazard, base_grid
from smash.model.description import FORMAT, read_description
from smash.model.encoder import Encoder
from smash.model.first_events import FirstEvents
from smash.model.hazard_base import HazardBase
from smash.model.location_head import DensityHead
from smash.model.plane import Plane
from smash.model.score_matching import noise_scale
from smash.model.score_network import LAW_REACH, ScoreNet
from smash.model.self_exciting_base import SelfExcitingHazard
from smash.model.self_exciting_head import SelfExcitingHead, check_process
from smash.model.weight_names import present_name
from smash.model.weights import growing_tables, no_larger_than, read_weights
from smash.settings import Columns, ModelSettings, ObjectiveSettings, goes_with_process
from smash.simulate.hawkes_fit import FittedHawkes, fit_process

WEIGHTS, DESCRIPTION = "weights.safetensors", "model.json"
PARTS = (DESCRIPTION, WEIGHTS, RECALIBRATION)
"""What a saved model's folder holds."""


@dataclass(frozen=True)
class About:
    """What a model knows of the data it was trained on: names, units and windows.

    `time_origin` and `mark_edges` as in `Dataset`. `starts_at`: where all training windows start,
    None where they start at different times. `window_length`: the longest window.
    `location_names`: what people call the coordinates, whose unit on the plane is `location_unit`;
    none without places.
    `projection` and `longitude_cut` as in `smash.settings.DataSettings`. `time_column`,
    `mark_column`, `sequence_column`, `magnitude_column`: columns of the user's own table, empty
    where there are none. `completeness`: the magnitude from which on events were kept, `region`
    the corners on the plane of where; None and none where all were.
    """

    dataset: str = ""
    digest: str = ""
    mark_names: tuple[str, ...] = ()
    time_unit: str = "time units"
    location_unit: str = "length units"
    location_names: tuple[str, ...] = ("x", "y")
    time_origin: str = ""
    mark_edges: tuple[float, ...] = ()
    starts_at: float | None = 0.0
    window_length: float | None = None
    projection: tuple[float, float] | None = None
    longitude_cut: float | None = None
    time_column: str = ""
    mark_column: str = ""
    sequence_column: str = ""
    magnitude_column: str = ""
    completeness: float | None = None
    region: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(cls, dataset: Dataset) -> "About":
        """Returns what is to be kept of `dataset`."""
        start, end = dataset.train.window.T
        return cls(
            dataset.name,
            dataset.digest,
            dataset.mark_names,
            dataset.time_unit,
            dataset.location_unit,
            dataset.location_names if dataset.written_names is None else dataset.written_names,
            dataset.time_origin,
            dataset.mark_edges,
            float(start[0]) if (start == start[0]).all() else None,
            float((end - start).max()),
            dataset.geography.origin,
            dataset.geography.cut,
            dataset.columns.time,
            dataset.columns.mark or "",
            dataset.columns.sequence or "",
            dataset.columns.magnitude or "",
            dataset.completeness,
            tuple((x, y) for x, y in dataset.region.corners.tolist()) if dataset.region else (),
        )

    @property
    def columns(self) -> Columns:
        """The columns of the user's own table, `time` and so on where nothing is known of it."""
        x, y = self.location_names or (None, None)
        return Columns(
            self.time_column or "time",
            x,
            y,
            self.mark_column or None,
            self.sequence_column or None,
            magnitude=self.magnitude_column or None,
        )

    @property
    def clock(self) -> Clock:
        return Clock(self.time_unit, self.time_origin)

    @property
    def geography(self) -> Geography:
        """How people write places: as longitude and latitude where these were trained on."""
        if self.projection is not None:
            return Geography(origin=self.projection)
        if self.longitude_cut is None and self.location_unit == "degrees":
            return Geography(-180.0)
        return Geography(self.longitude_cut)


class Smash(nn.Module):
    """Encoder and score network over scaled events; K marks (1: unmarked).

    `law_points` > 0 makes the intensity a rate, linear between that many points of time and
    trained by likelihood: times then carry no noise. 0 is a model of noised times, as published.
    With `law_tail` such a rate goes on beyond its points; models of before end there. Under
    `time_law: mixture` there is no rate, and no points.
    """

    def __init__(
        self,
        settings: ModelSettings,
        n_marks: int,
        scaler: Scaler,
        about: About | None = None,
        law_points: int = 0,
        law_tail: bool = True,
    ) -> None:
        super().__init__()
        self.settings, self.n_marks, self.scaler = settings, n_marks, scaler
        self.about, self.law_points, self.law_tail = about or About(), law_points, law_tail
        n_axes = scaler.n_axes
        self.encoder = Encoder(settings, n_marks, n_axes)
        law_grid = self._law_grid() if law_points else None
        plane = None
        if n_axes:
            plane = Plane.of(scaler, geographic=self.about.location_unit == "degrees")
        hazard = self._hazard(law_grid, plane) if settings.time_law == "grid" else None
        growth = scaler.gap_growth if law_points and law_tail else None
        self.network = ScoreNet(
            settings, n_marks, hazard, plane, law_grid, growth, self._atom(), n_axes
        )
        self.first = FirstEvents(n_axes, self.magnitudes)

    def _hazard(self, law_grid: Tensor | None, plane: Plane | None) -> HazardBase | None:
        """Returns what the intensity starts at, empty as yet."""
        if self.settings.base == "climatology":
            grid = base_grid(self.settings.sigma_time) if law_grid is None else law_grid
            return ClimatologyHazard(self.n_marks, grid)
        if self.settings.base == "self_exciting":
            assert plane is not None
            return SelfExcitingHazard(self.n_marks, plane)
        return None

    def _law_grid(self) -> Tensor:
        """Returns the points of the rate; on a linear scale none below a gap of 0."""
        start = -LAW_REACH
        if self.law_tail and not self.scaler.log_normalization:
            start = max(start, 2 * float(self.scaler.scale_gap(np.zeros(1), 0.0)[0]) - 1)
        return torch.linspace(start, LAW_REACH, self.law_points)

    def _atom(self) -> float | None:
        """Returns the z of the least gap beside 0, where gaps of 0 have a probability."""
        cell = self.scaler.gap_cell
        if not cell or self.scaler.gap_lattice:
            return None
        return 2 * float(self.scaler.scale_gap(np.array(cell))) - 1

    @classmethod
    def untrained(
        cls,
        settings: ModelSettings,
        objective: ObjectiveSettings,
        train: EventSequences,
        scaler: Scaler,
        n_marks: int,
        about: About | None = None,
    ) -> "Smash":
        """Returns a new model for an objective, its base, if any, fitted on `train`.

        Raises:
            SpecError: when training data repeat a gap of zero and its likelihood has no bound, or
                settings contradict each other.
            TrainingError: when no process can be fitted as a base.
        """
        likelihood = objective.kind == "likelihood"
        bounded = scaler.gap_cell or not (train.gap[train.is_target] == 0).any()
        if objective.clean_times and not bounded:
            raise SpecError(
                f"objective.kind: {objective.kind}, and {train.name} holds gaps of exactly 0, "
                "where a density has no bound; set scaling.resolution to the clock's, or to auto"
            )
        if settings.base == "self_exciting" and not train.n_axes:
            raise SpecError(
                f"model.base: self_exciting starts at a law of places too, and {train.name} has "
                "none; set it to climatology or none"
            )
        if settings.location_law != "score" and train.n_axes and not likelihood:
            raise SpecError(
                f"model.location_law: {settings.location_law} is a density and trained by its "
                "likelihood; set objective.kind to likelihood, or location_law to score"
            )
        if settings.time_law == "mixture" and not (likelihood and scaler.log_normalization):
            raise SpecError(
                "model.time_law: mixture is a law of the gap's logarithm, trained by its "
                "likelihood; set objective.kind to likelihood and scaling.log_normalization to "
                "true, or time_law to grid"
            )
        if settings.base == "self_exciting" and not goes_with_process(settings, likelihood):
            raise SpecError(
                "model.base: self_exciting is a law of clean times and of places beside past "
                "events; set objective.kind to likelihood, time_law to grid and location_law to "
                "history, or base to climatology"
            )
        if objective.kind == "weighted_score_matching" and settings.base != "none":
            raise SpecError(
                "objective.kind: weighted_score_matching asks for slopes, which a base has none "
                "worth matching of; set model.base to none"
            )
        if settings.noise_levels > 1 and not objective.clean_times:
            raise SpecError(
                "model.noise_levels: more than one are of places beside times without noise; set "
                "objective.kind to weighted_score_matching or likelihood"
            )
        scaler = scaler.told_of(train, settings.recent_rates, settings.magnitudes)
        clean = objective.clean_times and settings.time_law == "grid"
        points = objective.law_points if clean else 0
        model = cls(settings, n_marks, scaler, about, points)
        model.network.time.fit(train, scaler, float(model.noise_scale()[0]))
        model.network.location.fit(train, scaler)
        model.first.fit(train, n_marks)
        if settings.base == "self_exciting":
            model.start_at(fit_process(train, n_marks), train)
        return model

    def start_at(self, fitted: FittedHawkes, train: EventSequences) -> None:
        """Makes an untrained model of `base: self_exciting` a process fitted to `train`."""
        hazard, head = self.network.hazard, self.network.location
        assert isinstance(hazard, SelfExcitingHazard)
        assert isinstance(head, SelfExcitingHead)
        hazard.rates.start_at(fitted.process)
        head.start_at(fitted, train, self.scaler)

    @property
    def magnitudes(self) -> GutenbergRichter | None:
        """The law of magnitudes, of a model that is told of them; marks may be classes of them."""
        scaler, about = self.scaler, self.about
        if not scaler.tells_magnitudes:
            return None
        of_marks = self.marked and about.mark_column == about.magnitude_column
        b, edges = 1 / (LN10 * scaler.magnitude_mean), about.mark_edges if of_marks else ()
        return GutenbergRichter(b, scaler.magnitude_low, edges=edges)

    @property
    def marked(self) -> bool:
        return self.n_marks > 1

    @property
    def knows_times(self) -> bool:
        """True where times have a density and carry no noise."""
        return self.law_points > 0 or self.settings.time_law == "mixture"

    @property
    def device(self) -> torch.device:
        return self.encoder.projection.weight.device

    def noise_scale(self) -> Tensor:
        """Returns σ (1 + D,) of time and coordinates, 0 where they carry no noise."""
        sigma = noise_scale(self.settings, self.device)[: 1 + self.scaler.n_axes]
        if self.knows_times:
            sigma[0] = 0.0
        if isinstance(self.network.location, DensityHead):
            sigma[1:] = 0.0
        return sigma

    def contexts(self, batch: Batch) -> Tensor:
        """Returns the contexts (N, C) of a batch's targets."""
        return batch.contexts(self.encoder(batch))

    def save(self, folder: Path) -> None:
        """Writes weights (safetensors) and description (JSON) to `folder`, whole or not at all.

        Raises:
            OutputError: when it cannot be written, or the folder holds more than a saved model.
        """
        with replacing_folder(Path(folder), PARTS) as beside:
            self.write(beside)

    def write(self, folder: Path) -> None:
        """Writes weights and description into an existing folder."""
        weights = {name: tensor.contiguous().cpu() for name, tensor in self.state_dict().items()}
        (folder / WEIGHTS).write_bytes(to_bytes(weights))  # a full disk is then an OSError
        description = {
            "format": FORMAT,
            "n_marks": self.n_marks,
            "settings": asdict(self.settings),
            "scaler": asdict(self.scaler),
            "about": asdict(self.about),
            "law_points": self.law_points,
            "law_tail": self.law_tail,
        }
        (folder / DESCRIPTION).write_text(as_json(description))

    @classmethod
    def load(cls, folder: Path | str, device: str = "cpu") -> "Smash":
        """Returns the model saved in `folder`; a kept one is checked by its manifest first.

        Raises:
            CheckpointError: when a file is missing, damaged, exchanged or of another format.
        """
        folder = Path(folder)
        kept_digest = check_manifest(folder)
        told = read_description(folder / DESCRIPTION, About)
        with no_larger_than(folder / WEIGHTS):
            model = cls(
                told.settings,
                told.n_marks,
                told.scaler,
                told.about,
                told.law_points,
                told.law_tail,
            )
        expected = model.state_dict()
        tables = growing_tables(model)
        early = [name for name in expected if name.startswith("first.")]
        weights = read_weights(folder / WEIGHTS, expected, tables, early, present_name)
        model.load_state_dict(weights)
        model.first.check(model.n_marks, folder / WEIGHTS)
        check_process(model, folder / WEIGHTS)
        if kept_digest and kept_digest != model.about.digest:
            raise CheckpointError(
                f"{folder}: the manifest is of a model of other data ({model.about.dataset}); get "
                "the folder again"
            )
        return model.to(device).eval()
