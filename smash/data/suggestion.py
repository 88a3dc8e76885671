"""A spec for one's own data, its hyperparameters in proportion to what the data are like."""

import hashlib
import json
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from smash.data.cycles import cycles
from smash.data.dataset import Dataset
from smash.data.events import EventSequences
from smash.data.resolution import gap_cells, location_cell
from smash.data.tally import Tally
from smash.settings import Columns, DataSettings

PIECE = 128
"""Targets of a piece of a catalogue, on which a step is taken."""
BATCH, LARGEST, FEWEST_BATCHES = 300, 32, 8
"""Targets on which a step is taken elsewhere, as whole sequences, most sequences of it, and fewest
steps of an epoch."""
MOST_RECENT = 500
"""Past events that a catalogue's places look back at: more cost more, and gained nothing measured
(San Jacinto: -5.37 nats an event with 500)."""
MOST_IN_WINDOW = 64
"""The same of other sequences."""
STEPS, STEPS_OF_WINDOWS = 2000, 2500
"""Steps in which a model is trained, whatever the size of the data, of a catalogue and else."""
FEWEST_EPOCHS, MOST_EPOCHS = 5, 60
HEAD = "# Written by `smash data check` ({})."
"""How a spec begins that this module wrote, with a digest of all that follows."""


@dataclass(frozen=True)
class Suggestion:
    """Hyperparameters that follow from training data; `floor` is raw."""

    floor: float
    resolution: str
    location_resolution: str
    batch_size: int
    epochs: int
    steps: int
    periods: tuple[float, ...]


def suggest(dataset: Dataset) -> Suggestion:
    """Returns what suits the training data of `dataset`."""
    train = dataset.train
    gap = train.gap[train.is_target]
    positive = gap[gap > 0]
    cells = gap_cells(gap, "auto")
    floor = cells.width or float(positive.min())
    lattice = any(location_cell(coordinate, "auto") for coordinate in train.location.T)
    most = min(LARGEST, max(len(train) // FEWEST_BATCHES, 1))
    batch = int(np.clip(round(BATCH * len(train) / max(len(gap), 1)), 1, most))
    of_an_epoch = -(-len(train) // batch)
    n_epochs = _epochs(STEPS_OF_WINDOWS, of_an_epoch)
    return Suggestion(
        floor=_rounded(floor),
        resolution="auto" if cells.width else "none",
        location_resolution="auto" if lattice else "none",
        batch_size=batch,
        epochs=n_epochs,
        steps=n_epochs * of_an_epoch,
        periods=cycles(train, dataset.time_unit),
    )


def spec_text(
    dataset: Dataset, table: Path, columns: Columns, settings: DataSettings, found: Suggestion
) -> str:
    """Returns the spec as YAML, ready to run.

    `table` is where the windows lie; `settings` has the units, names and edges of the data.
    """
    named = {name: value for name, value in asdict(columns).items() if value is not None}
    mark = "".join(
        f"  {key}: {json.dumps(value)}\n"
        for key, value in (
            ("location_unit", settings.location_unit),
            ("places", settings.places),
            ("mark_names", list(settings.mark_names)),
            ("mark_edges", list(settings.mark_edges)),
            ("time_origin", settings.time_origin),
            ("projection", settings.projection),
            ("x_column", settings.x_column),
            ("y_column", settings.y_column),
            ("longitude_cut", settings.longitude_cut),
            ("time_column", settings.time_column),
            ("mark_column", settings.mark_column),
            ("sequence_column", settings.sequence_column),
            ("magnitude_column", settings.magnitude_column),
            ("completeness", settings.completeness),
            ("region", [list(corner) for corner in settings.region]),
        )
        if value not in (None, "", [])
    )
    train = dataset.train
    return _signed(f"""\
# Training data: {train.n_events} events in {len(train)} windows.
{_comment(dataset.rows)}\
name: {json.dumps(settings.name)}
data:
  name: {json.dumps(settings.name)}
  path: {json.dumps(str(table))}
  columns: {json.dumps(named)}
  time_unit: {json.dumps(settings.time_unit)}
{mark}scaling:
  log_normalization: true
  floor: {found.floor:.6g}  # the clock's resolution, or the shortest gap
  resolution: {found.resolution}
{_of_places(dataset, f"location_resolution: {found.location_resolution}")}\
{_of_catalogue(dataset) if _seismic(dataset) else _of_windows(dataset, found)}\
sampling:
  sampler: inverse_cdf
baselines: [{", ".join(rivals(dataset))}]
pool: [{", ".join(("model", *pooled(dataset)))}]  # one forecast of them all
pool_weights: stacking_by_part  # the times of one, the places of another, by validation data
""")


def rivals(dataset: Dataset) -> tuple[str, ...]:
    """Returns the baselines to beat: where events have magnitudes, those of earthquakes."""
    return ("poisson", "etas", "mixture") if _seismic(dataset) else ("climatology", "mixture")


def pooled(dataset: Dataset) -> tuple[str, ...]:
    """Returns the baselines that are pooled with the model: what few events teach alone."""
    return ("poisson", "etas") if _seismic(dataset) else rivals(dataset)


def _seismic(dataset: Dataset) -> bool:
    return dataset.train.magnitude is not None and dataset.n_axes > 0


def _of_places(dataset: Dataset, line: str) -> str:
    """Returns a line of a section that only events with places have."""
    return _line(line) if dataset.n_axes else ""


def _line(text: str) -> str:
    return f"  {text}\n"


def _of_windows(dataset: Dataset, found: Suggestion) -> str:
    """Returns model, objective and training for events without magnitudes."""
    recent = f"recent_events: {recent_events(dataset.train, MOST_IN_WINDOW)}"
    by_mark = "mark_in_location: true"
    periods = ", ".join(f"{period:g}" for period in found.periods)
    return f"""\
model:
  base: none
  time_law: mixture
{_of_places(dataset, "location_law: history  # where events were, more come")}\
{_of_places(dataset, recent)}\
{_of_places(dataset, by_mark) if dataset.n_marks > 1 else ""}\
{_line(f"periods: [{periods}]  # events keep to them") if periods else ""}\
  cond_dim: 16
  n_layers: 0
  context_dropout: 0.3
  time_encoding: relative
  skip: true
objective:
  kind: likelihood
  n_noise: 1
training:
  total_epochs: {found.epochs}  # {found.steps} steps
  batch_size: {found.batch_size}
  learning_rate: 2.0e-3
  average: 0.99
  eval_every: 1
"""


def _of_catalogue(dataset: Dataset) -> str:
    """Returns model, objective and training for a catalogue with magnitudes.

    Places point at past events, as those of ETAS do, and a step is taken on a piece of the
    catalogue: the number of steps decides how far training comes, not that of epochs.
    """
    train = dataset.train
    recent = recent_events(train, MOST_RECENT)
    by_mark = "  mark_in_location: true\n" if dataset.n_marks > 1 else ""
    return f"""\
model:
  base: none
  time_law: mixture
  location_law: history  # every recent event may have set the next one off
  recent_events: {recent}
{by_mark}\
  magnitudes: true  # large events set off more, and wider
  cond_dim: 16
  n_layers: 0
  context_dropout: 0.1
  time_encoding: relative
  skip: true
objective:
  kind: likelihood
  n_noise: 1
training:
  total_epochs: {epochs(train)}  # about {STEPS} steps, each on a piece of {PIECE} targets or fewer
  batch_size: 1
  piece_events: {PIECE}
  piece_history: {recent}
  learning_rate: 2.0e-3
  average: 0.99
  eval_every: 1
"""


def recent_events(train: EventSequences, most: int) -> int:
    """Returns how many past events places look back at: as many as there are, up to `most`."""
    return int(min(most, train.lengths.max()))


def epochs(train: EventSequences) -> int:
    """Returns how many epochs of a step a piece make `STEPS` steps, within reason."""
    targets = np.bincount(train.sequence[train.is_target], minlength=len(train))
    return _epochs(STEPS, int(np.ceil(targets / PIECE).sum()))


def _epochs(steps: int, of_an_epoch: int) -> int:
    return int(np.clip(-(-steps // max(of_an_epoch, 1)), FEWEST_EPOCHS, MOST_EPOCHS))


def is_as_written(text: str) -> bool:
    """Returns True for a spec of this module's that nobody has changed since."""
    return text == _signed(text.partition("\n")[2])


def _signed(text: str) -> str:
    return f"{HEAD.format(hashlib.sha256(text.encode()).hexdigest()[:12])}\n{text}"


def _comment(rows: Tally) -> str:
    """Returns how the data were split and what was left out, as comments of YAML."""
    said = [f"Split {rows.split}.", *(f"{note}." for note in rows.notes())]
    lines = (line for text in said for line in textwrap.wrap(" ".join(text.split()), 96))
    return "".join(f"# {line}\n" for line in lines)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
