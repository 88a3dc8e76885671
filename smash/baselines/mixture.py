r"""The intensity-free mixture: a recurrent network that gives the next event's density outright.

After Shchur, Biloš, Günnemann (ICLR 2020, arXiv 1909.12127), extended to space. From the state h of
a GRU over the history, the next event's mark, gap and location have the density

    p(k | h) p(τ | k, h) p(x | k, τ, h):

a categorical law, a mixture of log-normals with an atom at zero, and a mixture of Gaussians with
full covariances. It trains in a minute or two on a CPU and is sampled without any iteration.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from smash.baselines.mixture_inputs import Batch, MixtureData, Pieces, Standardisation
from smash.baselines.mixture_law import mixture_law
from smash.blocks import slices
from smash.data.events import EventSequences, Targets
from smash.errors import CheckpointError
from smash.files import as_json, replacing_folder
from smash.law.forecaster import Forecaster
from smash.law.gaussian_mixtures import GAP_NUMBERS, LOCATION_NUMBERS, GapLaw, LocationLaw
from smash.law.next_event_law import NextEventLaw
from smash.model.description import Marks, checked_parts
from smash.model.first_events import FirstEvents, laws_after
from smash.model.weights import growing_tables, no_larger_than, read_weights
from smash.settings import Count, Positive
from smash.untrusted_files import read_json

WEIGHTS, DESCRIPTION, FORMAT = "mixture.safetensors", "mixture.json", 1


@dataclass(frozen=True)
class MixtureSettings:
    """Sizes of the network and its training.

    `least_scale`: smallest standard deviation of a component, in those of the (log) data; where
    values repeat (clocks and lattices) a density would else grow without end. Training cuts
    sequences into pieces of `piece_events`, with `warm_up_events` before them as history, and
    takes batches of about `batch_events`, smaller ones where an epoch would have fewer than
    `least_batches`; forecasts always have the whole history. The rate falls linearly from
    `learning_rate`.
    """

    units: Count = 64
    mark_units: Count = 8
    components: Count = 16
    least_scale: Positive = 0.05
    epochs: Count = 25
    learning_rate: Positive = 3e-3
    piece_events: Count = 128
    warm_up_events: Count = 32
    batch_events: Count = 3000
    least_batches: Count = 24
    clip_norm: Positive = 5.0
    forecast_events: Count = 256


_PARTS = {
    "format": int,
    "n_marks": Marks,
    "settings": MixtureSettings,
    "standardisation": Standardisation,
}


class _Head(nn.Module):
    """One hidden layer over state, mark and further numbers; the state's part is shared."""

    def __init__(self, n_state: int, units: int, n_marks: int, n_further: int, n_out: int) -> None:
        super().__init__()
        self.state = nn.Linear(n_state, units)
        self.mark = nn.Embedding(n_marks, units)
        self.further = nn.Linear(n_further, units, bias=False) if n_further else None
        self.out = nn.Linear(units, n_out)

    def forward(self, state: Tensor, mark: Tensor, further: Tensor | None = None) -> Tensor:
        hidden = self.state(state) + self.mark(mark)
        if self.further is not None:
            hidden = hidden + self.further(further)
        return self.out(torch.relu(hidden))


class Mixture(nn.Module, Forecaster):
    """The network with what it needs to read raw events; a forecaster of next events.

    K = `n_marks`, 1 for unmarked data, whose forecasts have no marks.
    """

    def __init__(
        self, settings: MixtureSettings, n_marks: int, standardisation: Standardisation
    ) -> None:
        super().__init__()
        self.settings, self.standardisation = settings, standardisation
        units, m = settings.units, settings.components
        n_inputs = standardisation.n_inputs + settings.mark_units
        n_state = units + n_inputs
        self.mark_input = nn.Embedding(n_marks, settings.mark_units)
        self.gru = nn.GRU(n_inputs, units, batch_first=True)
        self.mark_head = nn.Sequential(
            nn.Linear(n_state, units), nn.ReLU(), nn.Linear(units, n_marks)
        )
        self.gap_head = _Head(n_state, units, n_marks, 0, 1 + GAP_NUMBERS * m)
        self.location_head: _Head | None = None
        if standardisation.n_axes:
            self.location_head = _Head(n_state, units, n_marks, 2, LOCATION_NUMBERS * m)
        self.first = FirstEvents(standardisation.n_axes)

    @property
    def n_marks(self) -> int:
        return self.mark_input.num_embeddings

    @property
    def device(self) -> torch.device:
        return self.mark_input.weight.device

    def data(self, sequences: EventSequences, pieces: Pieces | None = None) -> MixtureData:
        """Returns `sequences`, whole unless cut into `pieces`, as the network reads them.

        Raises:
            DataError: when marks were fitted and `sequences` has none, or unknown ones.
        """
        return MixtureData(sequences, self.standardisation, self.n_marks, str(self.device), pieces)

    def states(self, batch: Batch) -> Tensor:
        """Returns (E, H) the state after each event of a batch: the GRU's and the event itself.

        The event stands beside what the GRU made of it, so that a law can lie close around it.
        """
        inputs = torch.cat([batch.inputs, self.mark_input(batch.mark)], dim=-1)
        return torch.cat([self.gru(inputs)[0], inputs], dim=-1)[batch.mask]

    def gap_law(self, state: Tensor) -> GapLaw:
        """Returns the laws (N, K) of the standardised log gap given each mark."""
        every = torch.arange(self.n_marks, device=state.device)
        return GapLaw.of(self.gap_head(state[:, None], every), self.settings.least_scale)

    def location_law(self, state: Tensor, mark: Tensor, gap: Tensor, zero: Tensor) -> LocationLaw:
        """Returns the laws (...) of the standardised location given mark and log gap (...).

        There are none of events without places.
        """
        assert self.location_head is not None
        further = torch.stack([gap, zero.to(gap.dtype)], dim=-1)
        return LocationLaw.of(self.location_head(state, mark, further), self.settings.least_scale)

    def target_log_density(self, batch: Batch, states: Tensor) -> Tensor:
        """Returns (N,) standardised log densities of a batch's targets given the states before."""
        rows = batch.is_target.nonzero()[:, 0]
        before, mark = states[rows - 1], batch.own_mark[rows]
        gap, zero = batch.gap[rows], batch.zero[rows]
        log_mark = self.mark_head(before).log_softmax(-1)
        of_gap = GapLaw.of(self.gap_head(before, mark), self.settings.least_scale)
        time_mark = log_mark.gather(1, mark[:, None])[:, 0] + of_gap.log_density(gap, zero)
        if self.location_head is None:
            return time_mark
        of_location = self.location_law(before, mark, gap, zero)
        return time_mark + of_location.log_density(batch.location[rows])

    def log_survival(self, batch: Batch, states: Tensor) -> Tensor:
        """Returns (B,) log probabilities of no event from each last event to the window's end."""
        last = batch.mask.sum(1).cumsum(0) - 1
        log_mark = self.mark_head(states[last]).log_softmax(-1)
        of_gap = self.gap_law(states[last]).log_survival(batch.left[:, None])
        return torch.where(batch.censored, (log_mark + of_gap).logsumexp(-1), 0.0)

    @torch.no_grad()
    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        data = self.data(sequences)
        for indices in self._groups(sequences):
            targets = sequences.select(indices).targets()
            targets = replace(targets, sequence=targets.sequence + indices[0])
            batch = data.batch(indices)
            before = self.states(batch)[batch.is_target.nonzero()[:, 0] - 1]
            for rows in slices(len(before), self.settings.forecast_events):
                yield targets[rows], mixture_law(self, before[rows])

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        return laws_after(histories, self.first, self._law_after)

    @torch.no_grad()
    def _law_after(self, histories: EventSequences) -> NextEventLaw:
        """Returns the laws of the event after each of M histories that have begun."""
        batch = self.data(histories).batch(list(range(len(histories))))
        last = batch.mask.sum(1).cumsum(0) - 1
        return mixture_law(self, self.states(batch)[last])

    def _groups(self, sequences: EventSequences) -> Iterator[list[int]]:
        """Yields neighbouring sequences of about `forecast_events` events together."""
        group = np.cumsum(sequences.lengths) // self.settings.forecast_events
        for part in np.split(np.arange(len(sequences)), np.flatnonzero(np.diff(group)) + 1):
            yield part.tolist()

    def save(self, folder: Path) -> None:
        """Writes weights (safetensors) and description (JSON) to `folder`, whole or not at all.

        Raises:
            OutputError: when it cannot be written, or the folder holds more than a saved mixture.
        """
        with replacing_folder(Path(folder), (DESCRIPTION, WEIGHTS)) as beside:
            weights = {name: value.contiguous().cpu() for name, value in self.state_dict().items()}
            (beside / WEIGHTS).write_bytes(to_bytes(weights))
            description = {
                "format": FORMAT,
                "n_marks": self.n_marks,
                "settings": asdict(self.settings),
                "standardisation": asdict(self.standardisation),
            }
            (beside / DESCRIPTION).write_text(as_json(description))

    @classmethod
    def load(cls, folder: Path | str, device: str = "cpu") -> "Mixture":
        """Returns the mixture saved in `folder`.

        Raises:
            CheckpointError: when a file is missing, damaged or of another format.
        """
        folder = Path(folder)
        if not (folder / DESCRIPTION).exists():
            raise CheckpointError(
                f"{folder}: no saved mixture, which is {DESCRIPTION} and {WEIGHTS}; name the "
                "folder that one was saved in"
            )
        parts = checked_parts(_PARTS, read_json(folder / DESCRIPTION), folder / DESCRIPTION)
        if parts["format"] != FORMAT:
            raise CheckpointError(f"{folder / DESCRIPTION}: not a mixture of format {FORMAT}")
        _check_standardisation(parts["standardisation"], folder / DESCRIPTION)
        with no_larger_than(folder / WEIGHTS):
            model = cls(parts["settings"], parts["n_marks"], parts["standardisation"])
        expected = model.state_dict()
        early = [name for name in expected if name.startswith("first.")]
        weights = read_weights(folder / WEIGHTS, expected, growing_tables(model), early)
        model.load_state_dict(weights)
        model.first.check(model.n_marks, folder / WEIGHTS)
        return model.to(device).eval()


def _check_standardisation(found: Standardisation, path: Path) -> None:
    if min(found.location_scale + found.log_gap[1:]) <= 0:
        raise CheckpointError(f"{path}: standard deviations are above 0")
    if len(found.location_mean) != len(found.location_scale) or found.n_axes not in (0, 2):
        raise CheckpointError(
            f"{path}: means and standard deviations of places are two numbers each, or none"
        )
