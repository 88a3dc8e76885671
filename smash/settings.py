"""What a user can choose, one frozen dataclass a part; a spec is these dataclasses by name.

The classes are plain: `smash` reads them as they are. Bounds are written as `annotated_types` so
that the spec schema (`smash.workbench.specs.experiment_spec`) checks them without a second
definition; where a bound is not plain from the setting's name, `doc` says why it is there. What
settings ask of each other is in `smash.workbench.specs.contradictions`, what they ask of data and
memory in `smash.workbench.runs.size_checks`.

The line below a field says what it is and its unit (of time, of length: the data's own), and in
brackets where its default is from: `script` is the original implementation's, `paper` and `table 4`
are of the paper, `validation` is what validation data chose (`docs/performance.md`). It is shown by
error messages, `smash run --explain KEY` and the reference page (`smash.workbench.specs.meanings`).
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen, MultipleOf, doc

Positive = Annotated[float, Gt(0.0)]
NonNegative = Annotated[float, Ge(0.0)]
Fraction = Annotated[float, Ge(0.0), Lt(1.0)]
Dropout = Annotated[float, Ge(0.0), Le(0.99), doc("something has to be left")]
Level = Annotated[float, Gt(0.0), Lt(1.0)]
Count = Annotated[int, Ge(1)]
Longitude = Annotated[float, Ge(-180.0), Le(180.0)]
Latitude = Annotated[float, Ge(-90.0), Le(90.0)]
Coordinate = Annotated[float, Ge(-1e12), Le(1e12), doc("no map is larger")]
Place = tuple[Coordinate, Coordinate]
Span = Annotated[float, Ge(1e-9), Le(1e15), doc("in the data's unit; choose one that fits")]
Resolution = Span | Literal["auto", "none"]
Width = Annotated[int, Ge(1), Le(4096), doc("memory grows with its square")]
Epochs = Annotated[int, Ge(1), Le(1_000_000)]
AUTO: Literal["auto"] = "auto"
"""A size that follows the device (`smash.sizes`)."""
Block = (
    Annotated[int, Ge(1), Le(65_536), doc("what is done at a time lies in memory at once")]
    | Literal["auto"]
)
Points = Annotated[int, Ge(16), Le(8192), doc("each event has a number a mark at every point")]
Draws = Annotated[int, Le(100_000), doc("all draws of a batch of events lie in memory")]
DrawsAtOnce = Annotated[Draws, Ge(1)] | Literal["auto"]
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
    """Time of an event: a timestamp (ISO 8601) or a number."""
    x: str | None = "x"
    """First coordinate: east, or the longitude; null, as y, where events have no places."""
    y: str | None = "y"
    """Second coordinate: north, or the latitude; null, as x, where events have no places."""
    mark: str | None = None
    """Kind of an event; null for unmarked data."""
    sequence: str | None = None
    """Sequence that an event belongs to; null where all are one."""
    split: str | None = None
    """train, validation or test, where one file holds all three."""
    window_start: str | None = None
    """Start of a sequence's observation; null: its first event."""
    window_end: str | None = None
    """End of a sequence's observation; null: its last event."""
    magnitude: str | None = None
    """Number that an event carries, such as an earthquake's magnitude; null where there is none."""
    history: str | None = None
    """true or 1 for events that are history alone and no targets; null where there are none."""

    @property
    def axes(self) -> tuple[str, ...]:
        """The columns of places, x and y; none where events have no places."""
        return () if self.x is None or self.y is None else (self.x, self.y)

    def without_places(self) -> "Columns":
        """Returns the columns of events without places."""
        return replace(self, x=None, y=None)


@dataclass(frozen=True)
class SimulatorSettings:
    """The marked self-exciting process behind `simulated` (see `smash.simulate.simulator`)."""

    n_marks: Annotated[int, Ge(1), Le(20)] = 3
    """K, the number of marks."""
    background: Rate = 0.6
    """Spontaneous events of all marks a day."""
    branching: Fraction = 0.6
    """Events that an event sets off in the mean; below 1, so that they die out."""
    mark_influence: Annotated[float, Ge(0.0), Le(1.0)] = 1.0
    """How much an event's mark says of its offspring: 0 nothing, 1 mostly its own mark."""
    decay: Rate = 1.5
    """Rate at which an event's influence fades, a day."""
    spread: Rate = 0.08
    """Standard deviation of the distance from an event to what it sets off, km a coordinate."""
    background_spread: Rate = 0.5
    """Standard deviation of spontaneous events around the middle, km a coordinate."""
    sequences: tuple[Simulated, Simulated, Simulated] = (160, 40, 60)
    """How many sequences train, validate and test."""
    events: tuple[Simulated, Simulated] = (30, 60)
    """The fewest and the most events of a sequence."""
    seed: Annotated[int, Ge(0), Le(2**63 - 1)] = 0
    """Of the draws; equal seeds give equal data."""


@dataclass(frozen=True)
class DataSettings:
    """Which events: a named data set, or files (one a split, or one with a split column).

    `smash data check` writes what forecasts need to know of a user's own table.
    """

    name: str = "simulated"
    """A named data set (earthquake, crime, football, simulated), or what own files are called."""
    path: str | None = None
    """One file with all splits, told apart by `columns.split`."""
    train: str | None = None
    """File of the training data, where each split has its own."""
    validation: str | None = None
    """File of the validation data."""
    test: str | None = None
    """File of the test data."""
    columns: Columns = Columns()
    """Names of the columns of own files."""
    marked: bool | None = None
    """false leaves marks out (the original's `--dim 2`); true insists on them; null: if any."""
    places: bool | None = None
    """false leaves places out; true insists on them; null: if any, which tables are to have."""
    time_unit: str | None = None
    """Unit of time in figures and words; null: the data set's own."""
    location_unit: str | None = None
    """Unit of places; degrees are longitude and latitude; null: the data set's own."""
    time_origin: str | None = None
    """Timestamp (ISO 8601) that times in numbers count from."""
    mark_names: Annotated[tuple[str, ...], MaxLen(MOST_MARKS)] = ()
    """Names of the marks in their order; empty: as found in the data."""
    mark_edges: Annotated[tuple[float, ...], MaxLen(MOST_MARKS - 1)] = ()
    """Values at which a number, such as a magnitude, is cut into marks."""
    projection: tuple[Longitude, Latitude] | None = None
    """Longitude and latitude that places were projected around; columns are then km."""
    x_column: str | None = None
    """First coordinate's column in the table from which windows were cut."""
    y_column: str | None = None
    """Second coordinate's column in that table."""
    longitude_cut: Annotated[float, Ge(-540.0), Le(360.0)] | None = None
    """Longitude at which the circle is cut open, degrees; null: in its largest gap."""
    time_column: str | None = None
    """Column of times in the table from which windows were cut."""
    mark_column: str | None = None
    """Column of marks in that table."""
    sequence_column: str | None = None
    """Column of sequences in that table."""
    magnitude_column: str | None = None
    """Column of magnitudes in that table."""
    completeness: Annotated[float, Ge(-20.0), Le(20.0)] | None = None
    """Magnitude from which on events are complete, as ETAS counts them; null: the least."""
    region: Annotated[tuple[Place, ...], MaxLen(10_000)] = ()
    """Corners of the polygon that events were looked for in, as places are written; empty: none."""
    simulator: SimulatorSettings = SimulatorSettings()
    """The process behind `simulated`."""


@dataclass(frozen=True)
class ScalingSettings:
    """How gaps and locations are mapped to [0, 1] (see `smash.data.scaling`)."""

    log_normalization: bool = True
    """Scales the logarithm of gaps rather than gaps [script]."""
    floor: Annotated[float, Ge(1e-12), Le(1e12)] = 1e-4
    """Least gap before the logarithm, unit of time; unused with a resolution [script]."""
    resolution: Resolution = "none"
    """Cell the clock rounded gaps to, unit of time; auto estimates it, none: as published."""
    location_resolution: Resolution = "none"
    """Cell the map rounded places to, unit of length; auto or none as above."""


@dataclass(frozen=True)
class ModelSettings:
    """Sizes and noise levels of the model, and which parts it is made of."""

    cond_dim: Annotated[
        int, Ge(4), Le(1024), MultipleOf(2), doc("times are encoded by pairs of sine and cosine")
    ] = 32
    """Width of each stream's encoding of the history [script, table 4: football]."""
    sigma_time: Noise = 0.2
    """Standard deviation of the noise on scaled gaps in [-1, 1] [script, table 4: football]."""
    sigma_loc: Noise = 0.1
    """Standard deviation of the noise on scaled places in [-1, 1] [script, table 4: football]."""
    num_units: Width = 64
    """Width of the score network [script]."""
    n_layers: Annotated[int, Ge(0), Le(64), doc("deeper encoders do not train")] = 4
    """Self-attention layers of each stream [script]."""
    n_heads: Annotated[int, Ge(1), Le(64), doc("each attends to all events before")] = 4
    """Attention heads of a layer [script]."""
    d_head: Annotated[int, Ge(1), Le(1024), doc("memory grows with it times n_heads")] = 16
    """Width of a head's keys and values [script]."""
    dropout: Dropout = 0.1
    """Share dropped in attention layers [script]."""
    base: Literal["none", "climatology", "self_exciting"] = "none"
    """What untrained it is: climatology, a fitted Hawkes process; none: as published."""
    noise_levels: Annotated[int, Ge(1), Le(100), doc("each is trained on copies of its own")] = 1
    """Levels of noise of the places' score, down to sigma_loc; 1: as published."""
    mark_in_location: bool = False
    """The location's score knows the event's own mark, p(x | t, k) [paper: true; script: false]."""
    location_law: Literal["score", "mixture", "history"] = "score"
    """score: as published; mixture: Gaussians; history: kernels at past events."""
    time_law: Literal["grid", "mixture"] = "grid"
    """grid: an intensity at the points of a grid, or a score; mixture: log-normals of the gap."""
    context_dropout: Dropout = 0.0
    """Share dropped of what the LSTMs' states tell the contexts; 0: as published."""
    location_components: Annotated[int, Ge(1), Le(1024), doc("each draw weighs them all")] = 16
    """Gaussians of `location_law: mixture`, and of `history` beside its kernels."""
    recent_events: (
        Annotated[int, Ge(1), Le(1000), doc("each widens every context by 3 or more")] | None
    ) = None
    """Past events that the location's law is told of; null: mixture 1, history 128."""
    place_scales: Literal["several", "one"] = "several"
    """Bandwidths around each training place, of `history`: shares of several, or one alone."""
    time_encoding: Literal["absolute", "relative"] = "absolute"
    """absolute: time in the window, as published; relative: the scaled gap before an event."""
    periods: Annotated[tuple[Span, ...], MaxLen(16)] = ()
    """Periods whose phase `relative` encodes, unit of time: 24 and 168 for hours."""
    recent_rates: bool = False
    """Tells networks how many events came lately, over spans of 1 to 256 mean gaps."""
    magnitudes: bool = False
    """Tells networks the magnitude of each past event; places point more at the large ones."""
    skip: bool = False
    """Adds each stream's input to its output; false: as published."""
    max_context: Annotated[
        int, Ge(2), Le(65_536), MultipleOf(2), doc("windows overlap by half of it")
    ] = 1024
    """Events encoded at a time; longer sequences go by overlapping windows."""

    @property
    def n_recent(self) -> int:
        """How many past events a location's law is told of: `recent_events`, or its law's own."""
        own = {"score": 0, "mixture": 1, "history": 128}[self.location_law]
        return (self.recent_events or own) if own else 0


def goes_with_process(model: ModelSettings, likelihood: bool) -> bool:
    """Returns True for a model that can start at a self-exciting process's law."""
    return likelihood and model.time_law == "grid" and model.location_law == "history"


@dataclass(frozen=True)
class ObjectiveSettings:
    """What is minimised, and the weights of its parts."""

    kind: Literal["score_matching", "weighted_score_matching", "likelihood"] = "score_matching"
    """score_matching: as published; the others of clean times, weighted or by exact likelihood."""
    loss_lambda: Weight = 0.5
    """Weight of the mark's cross-entropy under score matching [script]."""
    loss_lambda2: Weight = 1.0
    """Weight of the location's part [script]."""
    smooth: Fraction = 0.0
    """Label smoothing of marks under score matching [script]."""
    n_noise: Annotated[int, Ge(1), Le(10_000), doc("copies of each event a step")] = 50
    """Noised copies of each event a step [script; paper: 300]."""
    law_points: Points = 128
    """Times of the grid on which the likelihood is normalised."""

    @property
    def clean_times(self) -> bool:
        """True where times are trained without noise, and so have a law."""
        return self.kind != "score_matching"


@dataclass(frozen=True)
class Recency:
    """Sequences drawn with replacement, the later ones more often."""

    half_life: Annotated[float, Ge(0.0), Le(1e6)]
    """Share of the sequences by which earlier ones are drawn half as often; 0: off."""


@dataclass(frozen=True)
class Folding:
    """Sequences shown as a clock of twelve hours records them."""

    share: Fraction
    """Share of the sequences that are shown so; 0: off."""
    day: Span = 24.0
    """Length of a day, unit of time; of the baseline `folded_mixture` too."""


@dataclass(frozen=True)
class Thinning:
    """Events dropped at random, of each sequence and mark another share."""

    depth: Fraction
    """Greatest share of each mark's events dropped from a sequence; 0: off."""
    period: Span | None = None
    """Period in an arc of which events are dropped too, unit of time; null: none."""


@dataclass(frozen=True)
class Mirroring:
    """Axes of the plane turned around in half of the sequences."""

    axes: Literal["none", "x", "y", "both"]
    """Which axes; none: off."""


@dataclass(frozen=True)
class Variation:
    """What an epoch sees of the training sequences, drawn anew each time (`smash.data.variation`).

    Only the parts that are given play one, in the order of the fields.
    """

    recency: Recency | None = None
    """Sequences drawn with replacement, the later ones more often: for data that drift."""
    folding: Folding | None = None
    """Sequences shown as a clock of twelve hours records them: for test data recorded so."""
    thinning: Thinning | None = None
    """Events dropped at random: for test data with other rates."""
    mirroring: Mirroring | None = None
    """Axes of the plane turned around: where it has no left and right."""


@dataclass(frozen=True)
class TrainingSettings:
    """Schedule of a training (see `smash.model.training`), and how sequences are varied.

    `block_…` bound memory and change no gradient; `auto` follows the device (`smash.sizes`).
    """

    total_epochs: Epochs = 150
    """Epochs, unless `patience` ends them before [script]."""
    batch_size: Annotated[int, Ge(1), Le(65_536), doc("a batch lies in memory at once")] = 32
    """Sequences a step [script: 32, football 4]."""
    learning_rate: Annotated[float, Gt(0.0), Le(1.0), doc("larger steps diverge")] = 1e-3
    """Highest learning rate, after warming up [script]."""
    final_learning_rate: NonNegative = 5e-5
    """Learning rate that falls linearly to this [script]."""
    warmup_epochs: Annotated[int, Ge(0), Le(1_000_000)] = 5
    """Epochs of linear growth up to `learning_rate` [script]."""
    clip_norm: Annotated[float, Ge(1e-6), Le(1e6)] = 1.0
    """Norm at which gradients are clipped [script]."""
    weight_decay: Annotated[
        float, Ge(0.0), Le(1.0), doc("it shrinks weights by this times learning_rate a step")
    ] = 0.01
    """Decoupled weight decay of AdamW."""
    eval_every: Epochs = 10
    """Epochs between validations [script]."""
    patience: Epochs = 50
    """Epochs without a better validation after which training stops [script]."""
    checkpoint_every: Epochs = 10
    """Epochs between checkpoints to go on from."""
    sample_every: Annotated[int, Ge(0), Le(1_000_000)] = 0
    """Epochs between scores of a few sampled validation sequences; 0: none."""
    average: Fraction = 0.0
    """Share that a moving average of weights keeps at each step; 0: no average."""
    variation: Variation = Variation()
    """How an epoch varies the training sequences."""
    piece_events: Annotated[int, Ge(0), Le(1_000_000)] = 0
    """Targets a piece, in which long sequences are trained on; 0: whole sequences."""
    piece_history: Annotated[int, Ge(1), Le(1_000_000)] = 256
    """Events before a piece that are its history."""
    block_sequences: Block = "auto"
    """Sequences encoded at a time; auto: 8 on a CPU, on a GPU what its memory holds."""
    block_events: Block = "auto"
    """Events whose loss is computed at a time; auto: 128 on a CPU, more on a GPU."""
    graphed: bool = True
    """Steps of score matching are replayed from CUDA graphs, on a GPU."""
    length_pool: Annotated[int, Ge(1), Le(65_536)] = 8
    """Batches sorted by length together; 1: plain shuffling."""


@dataclass(frozen=True)
class SamplingSettings:
    """How the next event is sampled (see `smash.sampling`)."""

    sampler: Literal["langevin", "inverse_cdf"] = "inverse_cdf"
    """inverse_cdf inverts the law of time and mark [validation]; langevin: as published."""
    denoise: Literal["none", "tweedie", "posterior"] = "posterior"
    """posterior: posterior draws [validation]; tweedie: their mean, as published; none."""
    support: Literal["box", "noised"] = "box"
    """Where inverse_cdf looks for times: box, the data's range [validation]; noised, beyond."""
    grid_points: Points = 256
    """Times of the grid that inverse_cdf inverts on."""
    langevin_step: Annotated[float, Ge(1e-9), Le(1.0), doc("events lie in [-1, 1]")] = 0.005
    """Step of the chain in scaled units [script, table 4]."""
    sampling_steps: Annotated[Steps, Ge(1)] = 2000
    """Steps of the Langevin chain [script]."""
    per_step: Annotated[Steps, Ge(1)] = 250
    """Steps between reports of the chain's scores [script]."""
    n_samples: DrawsAtOnce = "auto"
    """Draws of an event that one chain makes together; auto: 30 on a CPU [script], else all."""
    total_samples: Annotated[Draws, Ge(2)] = 300
    """Draws of an event in all [script]."""
    location_steps: Annotated[int, Ge(0), Le(100_000)] = 60
    """Steps of the location's own chain [validation]; 200 as published."""
    time_table: bool = False
    """langevin reads its time branch off a table: faster, as good as equal."""
    matmul_precision: Literal["auto", "highest", "high", "medium"] = "auto"
    """Of float32 products: highest, high (TF32), medium (bfloat16); auto: high on a GPU alone."""
    fused: bool = True
    """Chains of score heads go many steps in one kernel, on a GPU where Triton is found."""
    cuda_graph: bool | Literal["auto"] = "auto"
    """langevin replays its step from a CUDA graph on a GPU; auto: where few chains go at a time."""
    test_batch_size: Block = "auto"
    """Sequences encoded at a time; auto: 32 on a CPU, more on a GPU."""
    block_events: Block = "auto"
    """Events sampled at a time; auto: 128 on a CPU, on a GPU what its memory holds."""
    max_sequences: Annotated[int, Ge(0)] = 0
    """Sequences tested, spread over all of them; 0: all."""

    def with_draws(self, total_samples: int) -> "SamplingSettings":
        """Returns the settings for so many draws of an event."""
        at_once = self.n_samples
        if at_once != AUTO:
            at_once = min(at_once, total_samples)
        return replace(self, total_samples=total_samples, n_samples=at_once)


@dataclass(frozen=True)
class ScoreSettings:
    """Which figures a test computes."""

    levels: Annotated[tuple[Level, ...], MinLen(1), MaxLen(99)] = (0.5, 0.6, 0.7, 0.8, 0.9)
    """Levels of intervals and regions whose coverage is scored [paper]."""
    original: bool = True
    """Adds the published estimators, named `*_original`."""
    validation_samples: Annotated[Draws, Ge(0)] = 0
    """Draws an event that score the model on validation data; 0: not scored."""
    validation_sequences: Annotated[int, Ge(0)] = 0
    """Validation sequences scored so; 0: all."""
    recalibration_samples: Annotated[Draws, Ge(0)] = 100
    """Draws an event that recalibration is fitted to; 0: no recalibration."""
    futures_horizon: Annotated[float, Ge(0.0), Le(1e15)] = 0.0
    """How far ahead whole futures are scored, unit of time; 0: not scored."""
    futures_paths: Annotated[int, Ge(2), Le(10_000), doc("scores take all pairs of them")] = 100
    """Futures drawn from each rolling window."""
