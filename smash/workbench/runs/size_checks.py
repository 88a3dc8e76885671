"""What settings ask of the data and of the machine's memory, checked before anything is made.

The estimates count the largest tensors of each stage, to within a factor of two or so: enough to
tell a setting that cannot work from one that can.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import psutil
import torch

from smash.baseline_names import OF_PLACES, RIVAL
from smash.data.dataset import Dataset
from smash.data.events import EventSequences, spread_subset
from smash.data.resolution import gap_cells
from smash.errors import SpecError
from smash.forecast.rolling_futures import CELLS, MOST_WINDOWS, PERIODS, count_windows
from smash.model.encoder import count_streams
from smash.settings import ModelSettings
from smash.sizes import TrainingSizes, sampling_sizes, training_sizes
from smash.workbench.specs.experiment_spec import ExperimentSpec

DIGITS = 1e-12
"""Smallest cell, as a share of the largest value, whose multiples float64 tells apart."""
NUMBER = 4
"""Bytes of a float32."""
LAYERS = 16
"""Layers' worth of activations a score network keeps of an event and time, for its gradient too."""
WEIGHTS = 5
"""Weights, gradient, two moments of the optimiser, and a checkpoint of all."""


@dataclass(frozen=True)
class Use:
    """Memory in bytes that a stage needs at once, and the settings that make it so."""

    stage: str
    settings: tuple[str, ...]
    size: float


def check_sizes(spec: ExperimentSpec, dataset: Dataset, memory: float) -> None:
    """Checks what settings ask of the data, and that `memory` (bytes) holds what they make.

    Raises:
        SpecError: listing every problem, one a line.
    """
    problems = [
        *_place_problems(spec, dataset),
        *_scaling_problems(spec, dataset),
        *_futures_problems(spec, dataset),
    ]
    problems += [
        f"{', '.join(use.settings)}: {use.stage} would take about {_gigabytes(use.size)} of "
        f"memory at once, and there are {_gigabytes(memory)}; make one of them smaller"
        for use in uses(spec, dataset)
        if use.size > memory
    ]
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise SpecError("\n  ".join([f"{spec.name}: {count} with {dataset.name}", *problems]))


def memory_of(device: str) -> float:
    """Returns the memory in bytes that a device has in all."""
    if device.startswith("cuda"):
        return float(torch.cuda.get_device_properties(device).total_memory)
    return float(psutil.virtual_memory().total)


def uses(spec: ExperimentSpec, dataset: Dataset) -> Iterator[Use]:
    """Yields what each stage needs at once."""
    model, training = spec.model, _training_sizes(spec)
    yield Use(
        "the model",
        ("model.cond_dim", "model.n_layers", "model.n_heads", "model.d_head", "model.num_units"),
        WEIGHTS * NUMBER * n_weights(model, dataset.n_marks, dataset.n_axes),
    )
    longest = int(max(sequences.lengths.max() for _, sequences in dataset.splits()))
    seen = min(longest, model.max_context)
    streams = count_streams(dataset.n_marks, dataset.n_axes)
    inner = model.n_heads * model.d_head
    of_layer = 8 * inner + 8 * model.cond_dim + seen * model.n_heads / 4
    yield Use(
        "encoding a block of sequences",
        ("training.block_sequences", "model.cond_dim", "model.n_layers", "model.max_context"),
        NUMBER
        * min(training.block_sequences, spec.training.batch_size, len(dataset.train))
        * (seen * streams * (model.n_layers * of_layer + 24 * model.cond_dim)),
    )
    of_place = 0 if model.location_law == "score" else 8 * model.location_components
    points = _times_an_event(spec)
    trained = min(training.block_events, int(dataset.train.is_target.sum()))
    yield Use(
        "the loss of a block of events",
        (
            *("training.block_events", "model.num_units"),
            "objective.law_points" if spec.objective.clean_times else "objective.n_noise",
        ),
        NUMBER * trained * (points * _width(spec, dataset.n_marks) + 2 * model.num_units**2)
        + NUMBER * trained * of_place,
    )
    yield from _sampling_uses(spec, dataset, of_place)


def _sampling_uses(spec: ExperimentSpec, dataset: Dataset, of_place: int) -> Iterator[Use]:
    sampling, scores = spec.sampling, spec.scores
    total = max(sampling.total_samples, scores.validation_samples)
    sizes = sampling_sizes(sampling, spec.model.num_units, "cpu")
    at_once = sizes.n_samples if sampling.sampler == "langevin" else total
    clean = spec.objective.clean_times
    grid = _times_an_event(spec) if clean else sampling.grid_points
    events = _events_of_batch(dataset.test, sizes.test_batch_size)
    block = min(sizes.block_events, events)
    width = _width(spec, dataset.n_marks) / 2
    yield Use(
        "drawing samples for a block of events",
        (
            *("sampling.block_events", "sampling.total_samples", "model.num_units"),
            *(() if clean else ("sampling.grid_points",)),
        ),
        NUMBER * block * (max(at_once, grid) * (width + of_place) + 2 * spec.model.num_units**2),
    )
    yield Use(
        "the samples of a batch of sequences",
        ("sampling.test_batch_size", "sampling.total_samples"),
        events * total * (8 * NUMBER + 2 * NUMBER * dataset.n_marks),
    )
    yield Use(
        "scoring all pairs of samples of an event",
        ("sampling.total_samples", "scores.validation_samples"),
        3 * NUMBER * float(total) ** 2,
    )
    if scores.futures_horizon:
        yield Use(
            "scoring all pairs of futures",
            ("scores.futures_paths",),
            3 * NUMBER * float(scores.futures_paths) ** 2
            + 2 * NUMBER * scores.futures_paths * CELLS**dataset.n_axes * PERIODS,
        )


def n_weights(settings: ModelSettings, n_marks: int, n_axes: int = 2) -> int:
    """Returns about how many numbers a model learns: those of its matrices, with a place's head."""
    size, inner, units = settings.cond_dim, settings.n_heads * settings.d_head, settings.num_units
    streams = count_streams(n_marks, n_axes)
    encoder = settings.n_layers * (4 * size * inner + 4 * size**2)
    lstm = 4 * 4 * size * (size + 4 * size) + 4 * size**2
    heads = 9 * size * units + 14 * units**2 + streams * size * units
    per_mark = n_marks * (size + 2 * units)
    places = 0 if settings.location_law == "score" else 6 * settings.location_components * units
    return streams * (encoder + lstm) + 8 * size**2 + heads + per_mark + places


def _training_sizes(spec: ExperimentSpec) -> TrainingSizes:
    """Returns the sizes that are set, and a CPU's where they follow the device, and so fit."""
    return training_sizes(spec.training, _times_an_event(spec), spec.model.num_units, "cpu")


def _times_an_event(spec: ExperimentSpec) -> int:
    """Returns at how many times a loss asks the score network of each event."""
    if not spec.objective.clean_times:
        return spec.objective.n_noise
    return spec.objective.law_points if spec.model.time_law == "grid" else 1


def _width(spec: ExperimentSpec, n_marks: int) -> int:
    """Returns how many numbers a score network keeps of an event at a time."""
    return LAYERS * spec.model.num_units + 6 * n_marks


def _events_of_batch(sequences: EventSequences, size: int) -> int:
    """Returns the events of the `size` longest sequences."""
    return int(np.sort(sequences.lengths)[-size:].sum())


def _place_problems(spec: ExperimentSpec, dataset: Dataset) -> Iterator[str]:
    """Yields what is of places, where events have none."""
    if dataset.n_axes:
        return
    for name in spec.baselines:
        if name in OF_PLACES or name.startswith(RIVAL):
            yield f"baselines: {name} is a law of places, and these events have none; leave it out"
    if spec.training.variation.mirroring:
        yield (
            "training.variation.mirroring: turns places around, and these events have none; leave "
            "it out"
        )


def _scaling_problems(spec: ExperimentSpec, dataset: Dataset) -> Iterator[str]:
    """Yields cells that swallow the data whole, or are finer than their digits."""
    scaling, train = spec.scaling, dataset.train
    gap = float(train.gap[train.is_target].max())
    extent = float(np.ptp(train.location, axis=0).max(initial=0))
    cells = (
        ("scaling.resolution", scaling.resolution, gap, "the longest gap", dataset.time_unit),
        (
            *("scaling.location_resolution", scaling.location_resolution, extent),
            *("the places' extent", dataset.location_unit),
        ),
    )
    for setting, cell, largest, what, unit in cells[: 1 + (dataset.n_axes > 0)]:
        if isinstance(cell, str):
            continue
        if cell >= largest:
            yield (
                f"{setting}: {cell:g} is not below {what} of the training data ({largest:g} "
                f"{unit}), which would all be one cell; set the resolution they were recorded in"
            )
        elif cell < DIGITS * largest:
            yield (
                f"{setting}: {cell:g} is finer than float64 can tell {what} of the training data "
                f"({largest:g} {unit}); set it to none"
            )
    width, _ = gap_cells(train.gap[train.is_target], scaling.resolution)
    if scaling.log_normalization and not width and scaling.floor >= gap:
        yield (
            f"scaling.floor: {scaling.floor:g} is not below the longest gap of the training data "
            f"({gap:g} {dataset.time_unit}), which would all count as equal; make it smaller"
        )


def _futures_problems(spec: ExperimentSpec, dataset: Dataset) -> Iterator[str]:
    horizon = spec.scores.futures_horizon
    if not horizon:
        return
    tested = spread_subset(dataset.test, spec.sampling.max_sequences)
    n_windows, spans = count_windows(tested, horizon), np.ptp(tested.window, axis=1)
    if n_windows > MOST_WINDOWS:
        yield (
            f"scores.futures_horizon: {horizon:g} {dataset.time_unit} gives {n_windows:.3g} "
            f"windows along the test data, each of {spec.scores.futures_paths} futures; "
            f"{MOST_WINDOWS} at most, so take a longer one (sequences last up to {spans.max():g})"
        )
    elif n_windows == 0:
        yield (
            f"scores.futures_horizon: no test sequence is observed for {horizon:g} "
            f"{dataset.time_unit} after its first event (up to {spans.max():g} in all); take a "
            "shorter one"
        )


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.3g} GB"
