"""What a user can choose, one frozen dataclass a part; a spec is these dataclasses by name.

The classes are plain: `smash` reads them as they are. Bounds are written as `annotated_types` so
that the spec schema (`smash.workbench.specs.experiment_spec`) checks them without a second
definition; where a bound is not plain from the setting's name, `doc` says why it is there. What
settings ask of each other is in `smash.workbench.specs.contradictions`, what they ask of data and
memory in `smash.workbench.runs.size_checks`.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen, MultipleOf, doc

Positive = Annotated[float, Gt(0.0)]
NonNegative = Annotated[float, Ge(0.0)]
Fraction = Annotated[float, Ge(0.0), Lt(1.0)]
Level = Annotated[float, Gt(0.0), Lt(1.0)]
Count = Annotated[int, Ge(1)]
Longitude = Annotated[float, Ge(-180.0), Le(180.0)]
Latitude = Annotated[float, Ge(-90.0), Le(90.0)]
Span = Annotated[float, Ge(1e-9), Le(1e15), doc("in the data's unit; choose one that fits")]
Resolution = Span | Literal["auto", "none"]
Width = Annotated[int, Ge(1), Le(4096), doc("memory grows with its square")]
Epochs = Annotated[int, Ge(1), Le(1_000_000)]
Block = Annotated[int, Ge(1), Le(65_536), doc("what is done at a time lies in memory at once")]
Points = Annotated[int, Ge(16), Le(8192), doc("each event has a number a mark at every point")]
Draws = Annotated[int, Le(100_000), doc("all draws of a batch of events lie in memory")]
Steps = Annotated[int, Le(1_000_000)]
Noise = Annotated[float, Ge(1e-3), Le(10.0), doc("the scaled values that carry it lie in [-1, 1]")]
Weight = Annotated[float, Ge(0.0), Le(1e6)]

Rate = Annotated[float, Ge(1e-6), Le(1e6)]
Simulated = Annotated[int, Ge(1), Le(100_000)]

MOST_MARKS = 1000
"""Marks of a data set: forecasts give each a probability at every time of a grid."""

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
    """The marked self-exciting process behind `simulated` (see `smash.simulate.simulator`)."""

    n_marks: Annotated[int, Ge(1), Le(20)] = 3
    background: Rate = 0.6
    branching: Fraction = 0.6
    decay: Rate = 1.5
    spread: Rate = 0.08
    background_spread: Rate = 0.5
    sequences: tuple[Simulated, Simulated, Simulated] = (160, 40, 60)
    events: tuple[Simulated, Simulated] = (30, 60)
    seed: Annotated[int, Ge(0), Le(2**63 - 1)] = 0


@dataclass(frozen=True)
class DataSettings:
    """Which events: a named data set, or files (one a split, or one with a split column).

    `marked: false` leaves the marks of a marked data set out (the original's `--dim 2`). Of own
    files: `time_origin`, the timestamp (ISO 8601) that times count from; `mark_names`, the names
    of marks in their order; `mark_edges`, the values at which a number is cut into marks;
    `projection`, the longitude and latitude that places were projected around, whose columns are
    then km east and north; `longitude_cut`, where places in degrees have the circle of longitudes
    cut open, by default in its largest gap; `x_column`, `y_column`, `time_column`, `mark_column`,
    `sequence_column`, columns of the user's own table before it was cut into windows. Forecasts
    use them: `smash data check` writes them all.
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
    mark_names: Annotated[tuple[str, ...], MaxLen(MOST_MARKS)] = ()
    mark_edges: Annotated[tuple[float, ...], MaxLen(MOST_MARKS - 1)] = ()
    projection: tuple[Longitude, Latitude] | None = None
    x_column: str | None = None
    y_column: str | None = None
    longitude_cut: Annotated[float, Ge(-540.0), Le(360.0)] | None = None
    time_column: str | None = None
    mark_column: str | None = None
    sequence_column: str | None = None
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
    floor: Annotated[float, Ge(1e-12), Le(1e12)] = 1e-4
    resolution: Resolution = "none"
    location_resolution: Resolution = "none"


@dataclass(frozen=True)
class ModelSettings:
    """Sizes and noise levels of the model; defaults are the original implementation's.

    `base: climatology` starts the model at the training data's own law, which ignores history (see
    `smash.model.climatology_base`). `mark_in_location` gives the location score the event's own
    mark: p(x | t, k), as in the paper, where the original has p(x | t).

    The published encoder sees when an event happened within its window (`time_encoding:
    absolute`); `relative` shows it the scaled gap before the event instead, and for each of the
    `periods` (raw units of time: 24 and 168 for the hour of the day and of the week where time is
    in hours) the phase, and how soon an event followed that phase in earlier periods
    (`smash.model.phases`). `skip` adds each stream's input to its output, so that the last event
    reaches the score network as it was. `dropout` is that of the attention layers, as published;
    `context_dropout` drops what the LSTMs' states tell the contexts.

    `location_law: mixture` gives the location a density, `location_components` Gaussians whose
    numbers the context, the time and the mark decide, in place of a score to be followed by a chain
    (see `smash.model.location_mixture`); it is trained by likelihood and drawn exactly. They move
    with the `recent_events` before them (unless given, 1). `location_law: history` points at the
    `recent_events` (unless given, 128; at most 1000) and at a background of training places (see
    `smash.model.history_head`); its cost grows with their number.

    `max_context`: how many events the encoder takes at a time. A longer sequence is encoded in
    overlapping windows of as many, so that every event sees the last half as many or more. No
    published sequence is longer than the default.
    """

    cond_dim: Annotated[
        int, Ge(4), Le(1024), MultipleOf(2), doc("times are encoded by pairs of sine and cosine")
    ] = 32
    sigma_time: Noise = 0.2
    sigma_loc: Noise = 0.1
    num_units: Width = 64
    n_layers: Annotated[int, Ge(0), Le(64), doc("deeper encoders do not train")] = 4
    n_heads: Annotated[int, Ge(1), Le(64), doc("each attends to all events before")] = 4
    d_head: Annotated[int, Ge(1), Le(1024), doc("memory grows with it times n_heads")] = 16
    dropout: Fraction = 0.1
    base: Literal["none", "climatology"] = "none"
    mark_in_location: bool = False
    location_law: Literal["score", "mixture", "history"] = "score"
    context_dropout: Fraction = 0.0
    location_components: Annotated[int, Ge(1), Le(1024), doc("each draw weighs them all")] = 16
    recent_events: (
        Annotated[int, Ge(1), Le(1000), doc("each widens every context by 3 or more")] | None
    ) = None
    time_encoding: Literal["absolute", "relative"] = "absolute"
    periods: Annotated[tuple[Span, ...], MaxLen(16)] = ()
    skip: bool = False
    max_context: Annotated[
        int, Ge(2), Le(65_536), MultipleOf(2), doc("windows overlap by half of it")
    ] = 1024

    @property
    def n_recent(self) -> int:
        """How many past events a location's law is told of: `recent_events`, or its law's own."""
        own = {"score": 0, "mixture": 1, "history": 128}[self.location_law]
        return (self.recent_events or own) if own else 0


@dataclass(frozen=True)
class ObjectiveSettings:
    """What is minimised, and the weights of its parts.

    `score_matching` is the published objective (see `smash.model.score_matching`). `likelihood`
    trains time and mark by their exact likelihood, on a grid of `law_points` times (see
    `smash.model.likelihood`); `loss_lambda` and `smooth` then play no part, and `loss_lambda2`
    weighs the location's score.
    """

    kind: Literal["score_matching", "likelihood"] = "score_matching"
    loss_lambda: Weight = 0.5
    loss_lambda2: Weight = 1.0
    smooth: Fraction = 0.0
    n_noise: Annotated[int, Ge(1), Le(10_000), doc("copies of each event a step")] = 50
    law_points: Points = 128


@dataclass(frozen=True)
class TrainingSettings:
    """Schedule of a training (see `smash.model.training`).

    Patience counts epochs. A batch is encoded `block_sequences` sequences at a time and its loss
    runs over `block_events` events at a time, which bounds memory and changes no gradient. Batches
    are cut from pools of `length_pool` batches sorted by length (1: plain shuffling). With
    `average` > 0 what is validated and kept is a moving average of the weights that keeps that
    share of itself at every step (0.999: about the last thousand steps). `thinning` > 0 drops up to
    that share of each mark's events from each training sequence, anew every epoch, and with
    `thinning_period` (raw units of time) also events in an arc of the period: a model then learns
    to tell a sequence's rates from its history (see `smash.data.variation.thinning`). `folding` is
    the share of sequences that are shown as a clock of twelve hours records them, `folding_day` the
    raw units of time in a day (see `smash.data.variation.folding`). `mirror` turns these axes of
    the plane around in half of the sequences, anew every epoch (see
    `smash.data.variation.mirroring`). `half_life` > 0 draws an epoch's sequences with replacement,
    those that stand earlier by this share of them half as often (see
    `smash.data.variation.recency`).
    """

    total_epochs: Epochs = 150
    batch_size: Annotated[int, Ge(1), Le(65_536), doc("a batch lies in memory at once")] = 32
    learning_rate: Annotated[float, Gt(0.0), Le(1.0), doc("larger steps diverge")] = 1e-3
    final_learning_rate: NonNegative = 5e-5
    warmup_epochs: Annotated[int, Ge(0), Le(1_000_000)] = 5
    clip_norm: Annotated[float, Ge(1e-6), Le(1e6)] = 1.0
    weight_decay: Annotated[
        float, Ge(0.0), Le(1.0), doc("it shrinks weights by this times learning_rate a step")
    ] = 0.01
    eval_every: Epochs = 10
    patience: Epochs = 50
    checkpoint_every: Epochs = 10
    sample_every: Annotated[int, Ge(0), Le(1_000_000)] = 0
    average: Fraction = 0.0
    thinning: Fraction = 0.0
    thinning_period: Span | None = None
    folding: Fraction = 0.0
    folding_day: Span = 24.0
    mirror: Literal["none", "x", "y", "both"] = "none"
    half_life: Annotated[float, Ge(0.0), Le(1e6)] = 0.0
    block_sequences: Block = 8
    block_events: Block = 128
    length_pool: Annotated[int, Ge(1), Le(65_536)] = 8


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
    grid_points: Points = 256
    langevin_step: Annotated[float, Ge(1e-9), Le(1.0), doc("events lie in [-1, 1]")] = 0.005
    sampling_steps: Annotated[Steps, Ge(1)] = 2000
    per_step: Annotated[Steps, Ge(1)] = 250
    n_samples: Annotated[Draws, Ge(1)] = 30
    total_samples: Annotated[Draws, Ge(2)] = 300
    location_steps: Annotated[int, Ge(0), Le(100_000)] = 60
    time_table: bool = False
    matmul_precision: Literal["highest", "high", "medium"] = "highest"
    cuda_graph: bool = False
    test_batch_size: Annotated[int, Ge(1), Le(65_536), doc("a batch lies in memory at once")] = 32
    block_events: Block = 128
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

    levels: Annotated[tuple[Level, ...], MinLen(1), MaxLen(99)] = (0.5, 0.6, 0.7, 0.8, 0.9)
    original: bool = True
    validation_samples: Annotated[Draws, Ge(0)] = 0
    validation_sequences: Annotated[int, Ge(0)] = 0
    recalibration_samples: Annotated[Draws, Ge(0)] = 100
    futures_horizon: Annotated[float, Ge(0.0), Le(1e15)] = 0.0
    futures_paths: Annotated[int, Ge(2), Le(10_000), doc("scores take all pairs of them")] = 100
