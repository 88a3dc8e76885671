"""Training: schedule, validation with fixed noise, early stopping, checkpoints, exact resume."""

import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from pydantic import NonNegativeInt
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from smash.blocks import slices
from smash.data.batching import Batch, ScaledSequences
from smash.errors import CheckpointError, TrainingError
from smash.model.checkpoints import (
    check_optimizer,
    checkpoint_folder,
    latest_checkpoint,
    load_checkpoint,
    save_checkpoint,
    saved_epochs,
)
from smash.model.description import checked_parts
from smash.model.generator_state import GlobalState
from smash.model.graphed_loss import GraphedLoss
from smash.model.objectives import END_LOSSES, KNOWS_LONGEST, LOSSES
from smash.model.score_matching import Loss
from smash.model.score_network import ScoreNet
from smash.model.smash import Smash
from smash.model.weight_names import in_order
from smash.settings import ObjectiveSettings, TrainingSettings
from smash.sizes import training_sizes

VALIDATION_SEED = 20240721
UNCHECKED = 32
"""Batches on a GPU after which their losses are looked at, and it is waited for."""


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch gave; losses are means over targets, `validation_*` None if not validated."""

    epoch: int
    loss: float
    loss_time: float
    loss_location: float
    loss_mark: float
    learning_rate: float
    seconds: float
    events_per_second: float
    validation_loss: float | None = None
    validation_loss_time: float | None = None
    validation_loss_location: float | None = None
    validation_loss_mark: float | None = None


_PAST = {"records": list[EpochRecord], "best_epoch": NonNegativeInt}


@dataclass
class TrainingResult:
    """A finished training: its records, and where the chosen checkpoint lies."""

    records: list[EpochRecord] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = float("inf")
    stopped_early: bool = False
    folder: Path = Path()


@dataclass(frozen=True)
class Hooks:
    """Calls a training makes on its way: after a batch of targets, and after an epoch."""

    on_batch: Callable[[int, float], None] = lambda n_targets, loss: None
    on_epoch: Callable[[EpochRecord, Path], None] = lambda record, checkpoint: None


class _Step(NamedTuple):
    """What a step on so many targets found: the loss's four parts and the gradient's norm (5,)."""

    where: str
    n_targets: int
    found: Tensor


class Trainer:
    """Trains a model; all that a resumed training needs is in its checkpoints.

    On a CPU with the same number of threads a resumed training gives bit-identical weights.
    """

    def __init__(
        self,
        model: Smash,
        train: ScaledSequences,
        validation: ScaledSequences,
        objective: ObjectiveSettings,
        settings: TrainingSettings,
        root: Path,
        seed: int,
        hooks: Hooks | None = None,
    ) -> None:
        self.model, self.train, self.validation = model, train, validation
        self.objective, self.settings, self.root = objective, settings, root
        self.hooks = hooks or Hooks()
        self.sigma = model.noise_scale()
        n_points = objective.n_noise
        if objective.clean_times:
            n_points = objective.law_points if model.law_points else 1
        self.sizes = training_sizes(settings, n_points, model.settings.num_units, model.device)
        self.unchecked = UNCHECKED if model.device.type == "cuda" else 1
        self.average: AveragedModel | None = None
        if settings.average:
            self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings.average))
            for part in self.average.modules():
                if isinstance(part, nn.RNNBase):
                    part.flatten_parameters()  # a copy's lie apart, which cuDNN mends at each call
        self.parameters = in_order(model)
        self.optimizer = torch.optim.AdamW(
            self.parameters, betas=(0.9, 0.99), weight_decay=settings.weight_decay, fused=True
        )
        # Two generators, so that the order of sequences does not depend on the noise drawn.
        self.order = torch.Generator().manual_seed(seed)
        self.noise = torch.Generator(model.device).manual_seed(seed + 1)
        self._graphed: GraphedLoss | None = None
        told = model.settings.recent_rates or model.settings.magnitudes
        plain = objective.kind == "score_matching" and not told
        if settings.graphed and model.device.type == "cuda" and plain:
            self._graphed = GraphedLoss(
                model, self.parameters, objective, self.noise, lambda n, g: self._draw_noise(n, g)
            )
        # Dropout knows the global generators alone; `fit` sets them to this state.
        self._global = GlobalState.seeded(seed + 2)
        self.result = TrainingResult()

    @property
    def kept(self) -> Smash:
        """The model that is validated and saved: the average of the weights, if there is one."""
        return self.model if self.average is None else cast(Smash, self.average.module)

    def fit(self) -> TrainingResult:
        """Runs the epochs that are left and returns the result.

        Raises:
            TrainingError: when loss or gradient is not finite; the last checkpoint is kept.
        """
        with torch.random.fork_rng():
            self._global.restore()
            self._run_epochs()
        self.result.folder = checkpoint_folder(self.root, self.result.best_epoch)
        return self.result

    def _run_epochs(self) -> None:
        start = len(self.result.records)
        for epoch in range(start, self.settings.total_epochs):
            if self._exhausted():
                self.result.stopped_early = True
                break
            record = self._epoch(epoch)
            self._note(record)
            checkpoint = self._save()
            self.hooks.on_epoch(record, checkpoint)

    def resume(self) -> bool:
        """Restores the last checkpoint under the root; returns False where there is none."""
        folder = latest_checkpoint(self.root)
        if folder is None:
            return False
        checkpoint = load_checkpoint(folder)
        self.kept.load_state_dict(Smash.load(folder, str(self.model.device)).state_dict())
        try:
            self._restore(checkpoint.state, checkpoint.progress)
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{folder}: damaged, or not a checkpoint of this training "
                f"({type(error).__name__}: {' '.join(str(error).split())[:200]}); remove the "
                "folder to resume from the one before it"
            ) from error
        return True

    def _restore(self, state: dict[str, Any], progress: dict[str, Any]) -> None:
        """Takes on what a checkpoint holds beside the model that is kept."""
        if self.average is not None:
            self.model.load_state_dict(state["weights"])
            self.average.n_averaged.copy_(state["n_averaged"])
        check_optimizer(state["optimizer"], self.optimizer)
        self.optimizer.load_state_dict(state["optimizer"])
        self.order.set_state(state["order"])
        self.noise.set_state(state["noise"])
        self._global = GlobalState.checked(state["global"], state["global_cuda"])
        past = checked_parts(_PAST, {name: progress[name] for name in _PAST}, self.root)
        best_loss = progress["best_loss"]  # infinite before there is one
        if type(best_loss) is not float or math.isnan(best_loss):
            raise TypeError("best_loss is no number")
        self.result = TrainingResult(**past, best_loss=best_loss)

    def learning_rate(self, epoch: int) -> float:
        """Returns the rate of epoch (from 0): linear warm-up, then linear decay, as published."""
        settings = self.settings
        if epoch < settings.warmup_epochs:
            return settings.learning_rate * (epoch + 1) / settings.warmup_epochs
        fall = settings.learning_rate - settings.final_learning_rate
        return settings.learning_rate - fall * (epoch - settings.warmup_epochs) / (
            settings.total_epochs
        )

    def validate(self) -> Loss:
        """Returns the loss on validation data, always with the same noise."""
        self.kept.eval()
        generator = torch.Generator(self.model.device).manual_seed(VALIDATION_SEED)
        self.validation.spread(generator)
        total, n_targets = self._zero_loss(), 0
        with torch.no_grad():
            for batch in self.validation.batches(self.settings.batch_size):
                total += batch.n_targets * self._loss_that_fits(self.kept, batch, generator)
                n_targets += batch.n_targets
        return Loss(*(total.cpu() / n_targets))

    def _epoch(self, epoch: int) -> EpochRecord:
        self.model.train()
        rate = self.learning_rate(epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        started = time.perf_counter()
        train = self._training_sequences()
        total, n_targets = torch.zeros(4, dtype=torch.float64), 0
        batches = train.shuffled(self.settings.batch_size, self.order, self.settings.length_pool)
        steps: list[_Step] = []
        for number, indices in enumerate(batches):
            batch = train.batch(indices)
            where = f"epoch {epoch + 1}, batch {number + 1} of {len(batches)}"
            steps.append(_Step(where, batch.n_targets, self._step(batch, where)))
            n_targets += batch.n_targets
            if len(steps) == self.unchecked or number + 1 == len(batches):
                total += self._looked_at(steps)
                steps = []
        seconds = time.perf_counter() - started
        loss, loss_time, loss_location, loss_mark = (total / n_targets).tolist()
        record = EpochRecord(
            epoch=epoch + 1,
            loss=loss,
            loss_time=loss_time,
            loss_location=loss_location,
            loss_mark=loss_mark,
            learning_rate=rate,
            seconds=seconds,
            events_per_second=n_targets / seconds,
        )
        if (epoch + 1) % self.settings.eval_every and epoch + 1 < self.settings.total_epochs:
            return record
        validation = self.validate()
        return replace(
            record,
            validation_loss=float(validation.total),
            validation_loss_time=float(validation.time),
            validation_loss_location=float(validation.location),
            validation_loss_mark=float(validation.mark),
        )

    def _training_sequences(self) -> ScaledSequences:
        """Returns an epoch's sequences: varied, if so set, and spread over their cells."""
        train = self.train.varied(self.settings.variation, self.order)
        train.spread(self.noise)
        return train

    def _step(self, batch: Batch, where: str) -> Tensor:
        """Takes one optimiser step; returns the loss's four parts and the gradient's norm (5,).

        On a GPU whether these are numbers is looked at later, so as not to wait for it.
        """
        self.optimizer.zero_grad()
        loss = self._loss_that_fits(self.model, batch, self.noise, backward=True)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.settings.clip_norm)
        found = torch.cat([loss, norm.to(loss).view(1)])
        if self.unchecked == 1:
            self._check_numbers(found, where)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return found

    def _looked_at(self, steps: list["_Step"]) -> Tensor:
        """Returns the sum of the losses' parts (4,) of the targets of some steps."""
        total = torch.zeros(4, dtype=torch.float64)
        for step, found in zip(steps, torch.stack([s.found for s in steps]).cpu(), strict=True):
            self._check_numbers(found, step.where)
            total += step.n_targets * found[:4]
            self.hooks.on_batch(step.n_targets, float(found[0]))
        return total

    def _check_numbers(self, found: Tensor, where: str) -> None:
        if torch.isfinite(found).all():
            return
        kept = latest_checkpoint(self.root)
        raise TrainingError(
            f"{where}: the loss is {float(found[0])} and its gradient's norm {float(found[4])}. "
            "Likely causes: too high a learning_rate, too small a sigma_time or sigma_loc, "
            "or data with extreme outliers. "
            + (f"The last good checkpoint is kept in {kept}" if kept else "No epoch was done")
        )

    def _loss_that_fits(
        self, model: Smash, batch: Batch, generator: torch.Generator, backward: bool = False
    ) -> Tensor:
        """Returns `_loss_of`, by smaller blocks from now on where a GPU's memory asks for it."""
        if backward and self._graphed is not None and self._at_once(batch):
            loss = self._graphed(batch)
            if loss is not None:
                return loss
        while True:
            try:
                return self._loss_of(model, batch, generator, backward)
            except torch.OutOfMemoryError:
                if self.sizes.smallest:
                    raise
            self.sizes = self.sizes.halved()
            if backward:
                self.optimizer.zero_grad()

    def _at_once(self, batch: Batch) -> bool:
        """Returns True where no block, of sequences or of events, is smaller than the batch."""
        n_sequences, n_events = self.sizes
        return len(batch.length) <= n_sequences and batch.n_targets <= n_events

    def _loss_of(
        self, model: Smash, batch: Batch, generator: torch.Generator, backward: bool = False
    ) -> Tensor:
        """Returns the four parts (4,) of a batch's mean loss, in blocks of sequences and of events.

        The encoder sees `block_sequences` sequences at a time, the score network `block_events`
        events, which keeps their activations in cache; gradients gather in the contexts and reach
        the encoder once. Some objectives add what the event-free ends of windows tell, spread
        over the batch's events.
        """
        total = self._zero_loss()
        for part in batch.parts(self.sizes.block_sequences):
            encoding = model.encoder(part)
            context, left = part.contexts(encoding), None
            if self.objective.kind in END_LOSSES:
                ends, left = part.event_free_ends(encoding)
                context = torch.cat([context, ends])
            leaf = context.detach().requires_grad_(backward)
            for loss, count in self._losses(model.network, part, leaf, left, generator):
                share = count / batch.n_targets
                if backward:
                    (share * loss.total).backward()
                total += share * torch.stack(loss).detach().double()
            if backward:
                context.backward(leaf.grad)
        return total

    def _losses(
        self,
        network: ScoreNet,
        batch: Batch,
        context: Tensor,
        left: Tensor | None,
        generator: torch.Generator,
    ) -> Iterator[tuple[Loss, int]]:
        """Yields mean losses of blocks of events, each with the number of its events.

        `context` (N + M, C) is that of the N targets, then that of the M event-free ends of z
        length `left` (M,).
        """
        z, mark = batch.targets()
        kind = self.objective.kind
        beside = (batch.longest_gaps(),) if kind == KNOWS_LONGEST else ()
        for rows in slices(len(z), self.sizes.block_events):
            noise = self._draw_noise(len(z[rows]), generator)
            terms = network.terms(context[rows])
            marks = None if mark is None else mark[rows]
            of_rows = (network, terms, z[rows], marks, noise, self.sigma, self.objective)
            yield LOSSES[kind](*of_rows, *(part[rows] for part in beside)), len(z[rows])
        if left is not None and len(left):
            terms = network.terms(context[len(z) :])
            yield END_LOSSES[kind](network, terms, left), len(left)

    def _zero_loss(self) -> Tensor:
        return torch.zeros(4, dtype=torch.float64, device=self.model.device)

    def _draw_noise(self, n_events: int, generator: torch.Generator) -> Tensor:
        shape = (n_events, self.objective.n_noise, len(self.sigma))
        return torch.randn(shape, generator=generator, device=self.model.device)

    def _note(self, record: EpochRecord) -> None:
        self.result.records.append(record)
        loss = record.validation_loss
        if loss is not None and loss < self.result.best_loss:
            self.result.best_loss, self.result.best_epoch = loss, record.epoch

    def _exhausted(self) -> bool:
        """True once validation has not improved for `patience` epochs."""
        waited = len(self.result.records) - self.result.best_epoch
        return self.result.best_epoch > 0 and waited >= self.settings.patience

    def _save(self) -> Path:
        epoch = len(self.result.records)
        folder = save_checkpoint(self.root, epoch, self.kept, self._state(), self._progress())
        self._prune(epoch)
        return folder

    def _state(self) -> dict[str, Any]:
        current = GlobalState.current()
        averaged = {}
        if self.average is not None:
            averaged = {
                "weights": self.model.state_dict(),
                "n_averaged": self.average.n_averaged,
            }
        return averaged | {
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "noise": self.noise.get_state(),
            "global": current.cpu,
            "global_cuda": current.cuda,
        }

    def _progress(self) -> dict[str, Any]:
        return {
            "records": [asdict(record) for record in self.result.records],
            "best_epoch": self.result.best_epoch,
            "best_loss": self.result.best_loss,
        }

    def _prune(self, epoch: int) -> None:
        """Removes the checkpoint before `epoch` unless it is the best or a periodic one."""
        keep = {epoch, self.result.best_epoch}
        for number, folder in saved_epochs(self.root).items():
            if number not in keep and number % self.settings.checkpoint_every:
                shutil.rmtree(folder)
