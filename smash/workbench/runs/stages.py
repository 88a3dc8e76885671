"""The stages of one run: train, test, time. Each takes the run and logs what it finds."""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
import torch

from smash.data.dataset import Dataset
from smash.data.events import EventSequences, spread_subset
from smash.data.protocol import PreparedData
from smash.files import write_json
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.forecaster import Forecaster
from smash.law.samples import Forecast
from smash.model.smash import Smash
from smash.model.training import EpochRecord, Hooks, Trainer, TrainingResult
from smash.plots import diagnostics
from smash.scores import summarise
from smash.scores.evaluation import Evaluation, log_scales, scales_of, score_forecasts
from smash.scores.recalibration import (
    Recalibration,
    conformal_coverage,
    recalibrated_scores,
    recalibrated_table,
)
from smash.sizes import SamplingSizes, TrainingSizes, sampling_sizes
from smash.workbench.runs import console
from smash.workbench.runs.drawn_forecasts import ShownForecasts
from smash.workbench.runs.logged_model import KIND, model_name, model_params, pack_model
from smash.workbench.runs.model_fits import new_trainer
from smash.workbench.runs.samples_file import SamplesWriter
from smash.workbench.runs.sources import run_folder
from smash.workbench.specs.experiment_spec import ExperimentSpec, quick_profile
from smash.workbench.tracking.tracker import MODEL, Tracker

SCORED_EVENTS = "scores/events.parquet"
SAMPLED = "sampled.json"
"""Scores sampled while training, by epoch, in the run's folder: no checkpoint has them."""
SAMPLING_SEED = 104_729
"""Added to a run's seed for sampling, so that training and sampling draw apart."""


Keep = Callable[[Forecast], None]


@dataclass(frozen=True)
class Run:
    """One run with one seed: its resolved spec, its data, where it writes."""

    spec: ExperimentSpec
    dataset: Dataset
    data: PreparedData
    tracker: Tracker
    device: str

    @property
    def folder(self) -> Path:
        return run_folder(self.tracker.run_id)

    def trainer(self, root: Path) -> Trainer:
        """Returns the trainer of a new model, with its checkpoints in `root`."""
        return new_trainer(self.spec, self.dataset, self.data, self.device, root)

    def generator(self) -> torch.Generator:
        """Returns the generator of a test's samples, always at its start."""
        return torch.Generator(self.device).manual_seed(self.spec.seed + SAMPLING_SEED)


@dataclass(frozen=True)
class Tested:
    """What a test gave: its figures, and the table of scored events they were made of.

    `forecaster` is what was tested, None where the test was of an earlier process.
    """

    figures: dict[str, float]
    table: pd.DataFrame
    forecaster: Forecaster | None = None


def train(run: Run, resume: bool = False) -> Smash:
    """Returns the model of the best epoch; continues from the last checkpoint when asked."""
    training = run.spec.training
    trainer = run.trainer(run.folder / "checkpoints")
    if resume and trainer.resume():
        console.say(f"resuming after epoch {len(trainer.result.records)}")
        _log_again(run, trainer)
    elif resume:
        console.warn(f"no checkpoint in {trainer.root}: training starts from the first epoch")
    _log_sizes(run, trainer.sizes)
    n_targets = int(run.data.train.is_target.sum())
    done = len(trainer.result.records)
    with console.training_progress(n_targets, training.total_epochs, done) as bar:

        def after_epoch(record: EpochRecord, checkpoint: Path) -> None:
            bar.epoch(record.epoch, _line(record, training.total_epochs))
            run.tracker.log_metrics(epoch_metrics(record), step=record.epoch)
            _log_sampled_scores(run, trainer.kept, record.epoch)

        trainer.hooks = Hooks(on_batch=bar.batch, on_epoch=after_epoch)
        result = trainer.fit()
    return _finish_training(run, result)


def _finish_training(run: Run, result: TrainingResult) -> Smash:
    last = f"stopped early after {len(result.records)}" if result.stopped_early else "all done"
    console.say(
        f"best epoch {result.best_epoch} of {len(result.records)} ({last}), "
        f"validation loss {result.best_loss:.4f}"
    )
    model = Smash.load(result.folder, run.device)
    best = run.folder / "checkpoints" / "best"
    model.save(best)
    run.tracker.log_artifact(best, "checkpoints")
    with tempfile.TemporaryDirectory() as scratch:
        packed = pack_model(best, run.spec.sampling, Path(scratch) / MODEL)
        run.tracker.log_model(packed, model_name(run.spec), KIND, model_params(run.spec))
    history = pd.DataFrame([asdict(record) for record in result.records])
    run.tracker.log_figure(diagnostics.training_curves(history), "figures/training.png")
    run.tracker.log_table(history, "training/history.parquet")
    run.tracker.log_metrics(
        {"best/epoch": result.best_epoch, "best/validation_loss": result.best_loss}
    )
    return model


def _log_sizes(run: Run, sizes: TrainingSizes | SamplingSizes) -> None:
    """Logs what `auto` stands for on the run's device."""
    run.tracker.set_tags({f"sizes.{name}": str(size) for name, size in sizes._asdict().items()})


def epoch_metrics(record: EpochRecord) -> dict[str, float]:
    """Returns what an epoch gave under the names it is logged by."""
    metrics = {}
    for name, value in asdict(record).items():
        if name == "epoch" or value is None:
            continue
        split, _, rest = name.partition("_") if name.startswith("validation") else ("", "", name)
        metrics[f"{split or 'train'}/{rest}"] = value
    return metrics


def _log_again(run: Run, trainer: Trainer) -> None:
    """Logs what epochs gave that were done, but perhaps not yet sent, when the run was killed."""
    records = trainer.result.records
    for record in records:
        run.tracker.log_metrics(epoch_metrics(record), step=record.epoch)
    for epoch, figures in _sampled(run).items():
        run.tracker.log_metrics(figures, step=int(epoch))
    _log_sampled_scores(run, trainer.kept, len(records))


def _sampled(run: Run) -> dict[str, dict[str, float]]:
    path = run.folder / SAMPLED
    return json.loads(path.read_text()) if path.exists() else {}


def _line(record: EpochRecord, total: int) -> str:
    validation = record.validation_loss
    shown = "" if validation is None else f", validation {validation:.4f}"
    return (
        f"epoch {record.epoch}/{total}: loss {record.loss:.4f}{shown}, "
        f"{record.seconds:.1f} s, {record.events_per_second:.0f} events/s"
    )


def _log_sampled_scores(run: Run, model: Smash, epoch: int) -> None:
    """Logs scores of a few validation sequences under the quick profile's sampling, if asked to."""
    every, known = run.spec.training.sample_every, _sampled(run)
    if not every or epoch % every or str(epoch) in known:
        return
    settings = quick_profile(run.spec).sampling
    subset = spread_subset(run.data.validation, settings.max_sequences)
    scores = replace(run.spec.scores, original=False)
    evaluation = score_forecasts(
        ModelForecaster(model, settings), subset, settings.total_samples, scores, run.generator()
    )
    figures = {f"sampled/{name}": v for name, v in evaluation.figures.items()}
    write_json(run.folder / SAMPLED, known | {str(epoch): figures})
    run.tracker.log_metrics(figures, step=epoch)


def test(run: Run, forecaster: Forecaster, recalibration: Recalibration | None) -> Tested:
    """Returns what a forecaster scored, after logging it with samples and figures.

    With a recalibration its figures are logged beside, as `test_recalibrated/…`.
    """
    sampling = run.spec.sampling
    _log_sizes(run, sampling_sizes(sampling, run.spec.model.num_units, run.device))
    sequences = spread_subset(run.data.test, sampling.max_sequences)
    shown, changed = ShownForecasts(sequences), []
    path = run.folder / "samples.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with SamplesWriter(path, _about_samples(run)) as writer:

        def keep(forecast: Forecast) -> None:
            writer.write(forecast)
            shown.add(forecast)
            if recalibration:
                changed.append(
                    recalibrated_scores(recalibration, forecast.samples, forecast.targets)
                )

        evaluation = _evaluate(run, forecaster, sequences, keep, law_times=True)
    figures = evaluation.figures
    run.tracker.log_artifact(path, "samples")
    path.unlink()
    _log_evaluation(run, evaluation, figures)
    if recalibration:
        _log_recalibrated(run, recalibration, evaluation.table, pd.concat(changed))
    run.tracker.log_figure(shown.draw(run.dataset), "figures/forecasts.png")
    return Tested(figures, evaluation.table, forecaster)


def _log_recalibrated(
    run: Run, recalibration: Recalibration, table: pd.DataFrame, changed: pd.DataFrame
) -> None:
    levels = run.spec.scores.levels
    figures = summarise(recalibrated_table(recalibration, table, changed), levels)
    figures |= conformal_coverage(recalibration, table, levels)
    run.tracker.log_metrics({f"test_recalibrated/{k}": v for k, v in figures.items()})


def _evaluate(
    run: Run,
    forecaster: Forecaster,
    sequences: EventSequences,
    keep: Keep,
    law_times: bool = False,
) -> Evaluation:
    sampling = run.spec.sampling
    n_draws = int(sequences.is_target.sum()) * sampling.total_samples
    with console.sampling_progress("sampling", n_draws * forecaster.steps_a_draw) as bar:
        return score_forecasts(
            forecaster.reporting(bar.advance),
            sequences,
            sampling.total_samples,
            run.spec.scores,
            run.generator(),
            scales_of(run.data.train),
            keep,
            law_times,
        )


def _log_evaluation(run: Run, evaluation: Evaluation, figures: Mapping[str, float]) -> None:
    tracker, levels = run.tracker, run.spec.scores.levels
    tracker.log_metrics({f"test/{figure}": value for figure, value in figures.items()})
    for step, block in evaluation.block_figures.items():
        tracker.log_metrics({f"blocks/{figure}": v for figure, v in block.items()}, step=step)
    tracker.log_metrics(
        {
            "test/sampling_seconds": float(evaluation.timings["seconds"].sum()),
            "test/scoring_seconds": evaluation.scoring_seconds,
        }
    )
    if evaluation.lacking:
        tracker.set_tags({"lacking": evaluation.lacking})
    tracker.log_metrics({f"log_scale/{k}": v for k, v in log_scales_of(run).items()})
    tracker.log_table(evaluation.table, SCORED_EVENTS)
    tracker.log_figure(diagnostics.coverage_curve(evaluation.table), "figures/coverage.png")
    tracker.log_figure(
        diagnostics.coverage_error(evaluation.table, levels), "figures/coverage_error.png"
    )


def log_scales_of(run: Run) -> dict[str, float]:
    """Returns what the run's nats are lower by in standardised units, of time and of place."""
    return log_scales(scales_of(run.data.train))


def measure_time(run: Run, forecaster: ModelForecaster) -> dict[str, float]:
    """Returns sampling times: seconds a block and a batch, in all, and samples a second."""
    sampling = run.spec.sampling
    sequences = spread_subset(run.data.test, sampling.max_sequences)
    scores = replace(run.spec.scores, original=False)
    evaluation = _evaluate(
        replace(run, spec=run.spec.model_copy(update={"scores": scores})),
        forecaster,
        sequences,
        lambda forecast: None,
    )
    timings = evaluation.timings
    seconds = float(timings["seconds"].sum())
    drawn = float(timings.loc[timings.groupby("batch")["step"].idxmax(), "samples"].sum())
    figures = {
        "seconds_per_block": float(timings["seconds"].mean()),
        "seconds_per_batch": float(timings.groupby("batch")["seconds"].sum().mean()),
        "total_seconds": seconds,
        "samples_per_second": drawn / seconds,
        "events_per_second": drawn / sampling.total_samples / seconds,
    }
    run.tracker.log_metrics({f"time/{name}": value for name, value in figures.items()})
    run.tracker.log_text(timings.to_csv(index=False), "time/blocks.csv")
    return figures


def _about_samples(run: Run) -> dict[str, str]:
    return {
        "run_id": run.tracker.run_id,
        "dataset": run.dataset.name,
        "data_digest": run.dataset.digest,
        "denoise": run.spec.sampling.denoise,
        "time_unit": run.dataset.time_unit,
        "location_unit": run.dataset.location_unit,
    }
