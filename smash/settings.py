"""What a user can choose, one frozen dataclass a part; a spec is these dataclasses by name.

The classes are plain: `smash` reads them as they are. Bounds are written as `annotated_types`
so that the spec schema (`experiments.spec`) checks them without a second definition.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen, MultipleOf

Positive = Annotated[float, Gt(0.0)]
NonNegative = Annotated[float, Ge(0.0)]
Fraction = Annotated[float, Ge(0.0), Lt(1.0)]
Level = Annotated[float, Gt(0.0), Lt(1.0)]
Count = Annotated[int, Ge(1)]
Resolution = Positive | Literal["auto", "none"]

DATASETS = ("earthquake", "crime", "football", "simulated")


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a table with one row an event; None where there is none."""

    time: str = "time"
    x: str = "x"
    y: str = "y"
    mark: str | None = None
    sequence: str | None = None
    split: str | None = None
    window_start: str | None = None
    window_end: str | None = None


@dataclass(frozen=True)
class SimulatorSettings:
    """The marked self-exciting process behind `simulated` (see `smash.data.simulator`)."""

    n_marks: Annotated[int, Ge(1), Le(20)] = 3
    background: Positive = 0.6
    branching: Fraction = 0.6
    decay: Positive = 1.5
    spread: Positive = 0.08
    background_spread: Positive = 0.5
    sequences: tuple[Count, Count, Count] = (160, 40, 60)
    events: tuple[Count, Count] = (30, 60)
    seed: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True)
class DataSettings:
    """Which events: a named data set, or files (one a split, or one with a split column).

    `marked: false` leaves the marks of a marked data set out (the original's `--dim 2`). Of own
    files: `time_origin`, the timestamp (ISO 8601) that times count from; `mark_names`, the names
    of marks 0, 1, …; `mark_edges`, the values at which a number was cut into marks. Forecasts use
    them: `python -m smash.data check` writes all three.
    """

    name: str = "simulated"
    path: str | None = None
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    columns: Columns = Columns()
    marked: bool | None = None
    time_unit: str | None = None
    location_unit: str | None = None
    time_origin: str | None = None
    mark_names: tuple[str, ...] = ()
    mark_edges: tuple[float, ...] = ()
    simulator: SimulatorSettings = SimulatorSettings()


@dataclass(frozen=True)
class ScalingSettings:
    """How gaps and locations are mapped to [0, 1] (see `smash.data.scaling`).

    `resolution` of the clock and `location_resolution` of the map, in raw units: values are spread
    over the cells they were rounded to and forecasts rounded back; "auto" estimates them from
    training data (see `smash.data.resolution`), "none" takes values as they are, as published.
    A resolution replaces `floor`.
    """

    log_normalization: bool = True
    floor: Positive = 1e-4
    resolution: Resolution = "none"
    location_resolution: Resolution = "none"


@dataclass(frozen=True)
class ModelSettings:
    """Sizes and noise levels of the model; defaults are the original implementation's.

    `base: climatology` starts the model at the training data's own law, which ignores history
    (see `smash.climatology_base`). `mark_in_location` gives the location score the event's own
    mark: p(x | t, k), as in the paper, where the original has p(x | t).

    The published encoder sees when an event happened within its window (`time_encoding:
    absolute`); `relative` shows it the scaled gap before the event instead, and for each of the
    `periods` (raw units of time: 24 and 168 for the hour of the day and of the week where time is
    in hours) the phase, and how soon an event followed that phase in earlier periods
    (`smash.phases`). `skip` adds each stream's input to its output, so that the last event reaches
    the score network as it was. `dropout` is that of the attention layers, as published;
    `context_dropout` drops what the LSTMs' states tell the contexts.

    `location_law: mixture` gives the location a density, `location_components` Gaussians whose
    numbers the context, the time and the mark decide, in place of a score to be followed by a
    chain (see `smash.location_mixture`); it is trained by likelihood and drawn exactly. They move
    with the `recent_events` before them.

    `max_context`: how many events the encoder takes at a time. A longer sequence is encoded in
    overlapping windows of as many, so that every event sees the last half as many or more. No
    published sequence is longer than the default.
    """

    cond_dim: Annotated[int, Ge(4), Le(1024)] = 32
    sigma_time: Positive = 0.2
    sigma_loc: Positive = 0.1
    num_units: Count = 64
    n_layers: Annotated[int, Ge(0)] = 4
    n_heads: Count = 4
    d_head: Count = 16
    dropout: Fraction = 0.1
    base: Literal["none", "climatology"] = "none"
    mark_in_location: bool = False
    location_law: Literal["score", "mixture"] = "score"
    context_dropout: Fraction = 0.0
    location_components: Count = 16
    recent_events: Count = 1
    time_encoding: Literal["absolute", "relative"] = "absolute"
    periods: tuple[Positive, ...] = ()
    skip: bool = False
    max_context: Annotated[int, Ge(2), MultipleOf(2)] = 1024


@dataclass(frozen=True)
class ObjectiveSettings:
    """What is minimised, and the weights of its parts.

    `score_matching` is the published objective (see `smash.objective`). `likelihood` trains time
    and mark by their exact likelihood, on a grid of `law_points` times (see `smash.likelihood`);
    `loss_lambda` and `smooth` then play no part, and `loss_lambda2` weighs the location's score.
    """

    kind: Literal["score_matching", "likelihood"] = "score_matching"
    loss_lambda: NonNegative = 0.5
    loss_lambda2: NonNegative = 1.0
    smooth: Fraction = 0.0
    n_noise: Count = 50
    law_points: Annotated[int, Ge(16)] = 128


@dataclass(frozen=True)
class TrainingSettings:
    """Schedule of a training (see `smash.training`).

    Patience counts epochs. A batch is encoded `block_sequences` sequences at a time and its loss
    runs over `block_events` events at a time, which bounds memory and changes no gradient. Batches
    are cut from pools of `length_pool` batches sorted by length (1: plain shuffling). With
    `average` > 0 what is validated and kept is a moving average of the weights that keeps that
    share of itself at every step (0.999: about the last thousand steps). `thinning` > 0 drops up
    to that share of each mark's events from each training sequence, anew every epoch, and with
    `thinning_period` (raw units of time) also events in an arc of the period: a model then learns
    to tell a sequence's rates from its history (see `smash.data.thinning`). `folding` is the share
    of sequences that are shown as a clock of twelve hours records them, `folding_day` the raw units
    of time in a day (see `smash.data.folding`). `mirror` turns these axes of the plane around in
    half of the sequences, anew every epoch (see `smash.data.mirroring`). `half_life` > 0 draws an
    epoch's sequences with replacement, those that stand earlier by this share of them half as often
    (see `smash.data.recency`).
    """

    total_epochs: Count = 150
    batch_size: Count = 32
    learning_rate: Positive = 1e-3
    final_learning_rate: NonNegative = 5e-5
    warmup_epochs: Annotated[int, Ge(0)] = 5
    clip_norm: Positive = 1.0
    weight_decay: NonNegative = 0.01
    eval_every: Count = 10
    patience: Count = 50
    checkpoint_every: Count = 10
    sample_every: Annotated[int, Ge(0)] = 0
    average: Fraction = 0.0
    thinning: Fraction = 0.0
    thinning_period: Positive | None = None
    folding: Fraction = 0.0
    folding_day: Positive = 24.0
    mirror: Literal["none", "x", "y", "both"] = "none"
    half_life: NonNegative = 0.0
    block_sequences: Count = 8
    block_events: Count = 128
    length_pool: Count = 8


@dataclass(frozen=True)
class SamplingSettings:
    """How the next event is sampled (see `smash.sampling`).

    `total_samples` draws an event. `langevin` runs `n_samples` of them at a time and reports every
    `per_step` steps; its `location_steps` (200 as published) come after denoising. `inverse_cdf`
    uses `grid_points` times over `support` and `location_steps` steps of the location in all.
    Sampler, `denoise`, `support` and `location_steps` are those that validation data chose, as
    `docs/performance.md` shows.

    `time_table` lets `langevin` read its time branch off a table of `grid_points` times (see
    `smash.sampling.time_table`): faster, and as good as equal. `matmul_precision` is PyTorch's of
    float32 products while samples are drawn: `highest` keeps all digits, `high` takes TF32 on a
    GPU, `medium` bfloat16, also on a CPU that has it. `cuda_graph` lets `langevin` replay its step
    from a CUDA graph on a GPU; with it larger `block_events` pay.
    """

    sampler: Literal["langevin", "inverse_cdf"] = "inverse_cdf"
    denoise: Literal["none", "tweedie", "posterior"] = "posterior"
    support: Literal["box", "noised"] = "box"
    grid_points: Annotated[int, Ge(16)] = 256
    langevin_step: Positive = 0.005
    sampling_steps: Count = 2000
    per_step: Count = 250
    n_samples: Count = 30
    total_samples: Annotated[int, Ge(2)] = 300
    location_steps: Annotated[int, Ge(0)] = 60
    time_table: bool = False
    matmul_precision: Literal["highest", "high", "medium"] = "highest"
    cuda_graph: bool = False
    test_batch_size: Count = 32
    block_events: Count = 128
    max_sequences: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True)
class ScoreSettings:
    """Which figures a test computes. `original` adds the published estimators.

    `validation_samples` draws an event, when there are any, also score the trained model on
    `validation_sequences` sequences of the validation data (0: all). `recalibration_samples` draws
    an event of the validation data's other half recalibrate whatever is tested (0: nothing is).
    `futures_horizon`, when above 0, also scores futures that far (raw units of time) over windows
    that roll along the test sequences, `futures_paths` of them each.
    """

    levels: Annotated[tuple[Level, ...], MinLen(1)] = (0.5, 0.6, 0.7, 0.8, 0.9)
    original: bool = True
    validation_samples: Annotated[int, Ge(0)] = 0
    validation_sequences: Annotated[int, Ge(0)] = 0
    recalibration_samples: Annotated[int, Ge(0)] = 100
    futures_horizon: NonNegative = 0.0
    futures_paths: Annotated[int, Ge(2)] = 100
