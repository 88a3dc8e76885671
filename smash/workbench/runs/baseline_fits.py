"""The baselines a spec can name: each fitted to the run's training data, ready to forecast."""

from collections.abc import Callable
from dataclasses import asdict, replace

import torch

from smash.baseline_names import is_plug_in
from smash.baselines import (
    Climatology,
    Markov,
    Mixture,
    MixtureEpoch,
    MixtureSettings,
    Poisson,
    Walk,
    fit_etas,
    fit_hawkes,
    fit_mixture,
)
from smash.baselines.plug_ins import Fitting, fit_plug_in
from smash.data.dataset import Dataset
from smash.data.protocol import PreparedData
from smash.data.variation.folding import with_folded
from smash.law.forecaster import Forecaster
from smash.settings import Folding
from smash.simulate.simulator import HawkesProcess, Oracle
from smash.workbench.runs import cache_keys, console, kept_fits
from smash.workbench.runs.stages import Run
from smash.workbench.specs.experiment_spec import ExperimentSpec

FITTING_SEED = 15_485_863
FITTED = "fitted"
"""Added to a run's seed for fitting, so that a baseline and the model draw apart."""

OnEpoch = Callable[[MixtureEpoch], None]


def fit_baseline(
    name: str,
    spec: ExperimentSpec,
    dataset: Dataset,
    data: PreparedData,
    device: str,
    on_epoch: OnEpoch = lambda epoch: None,
    budget: float | None = None,
) -> Forecaster:
    """Returns the baseline `name`, fitted to `data.train`.

    Only a mixture looks at `data.validation`, to choose its epoch, uses `device` and calls
    `on_epoch`; its progress is shown. The folded one sees every training sequence twice: as it is
    and as a clock of twelve hours records it. Plug-ins are told a `budget` of processor seconds.

    Raises:
        TrainingError: when a likelihood is not finite.
        BaselineError: when a plug-in cannot be had, or its fit fails.
    """
    if is_plug_in(name):
        return fit_plug_in(name, fitting_of(spec, dataset, data, device, budget))
    if name in ("mixture", "folded_mixture"):
        if name == "folded_mixture":
            folding = spec.training.variation.folding or Folding(share=0.0)
            both = with_folded(data.train, folding.day)
            data = replace(data, train=both)
        return _fit_mixture(spec, dataset, data, device, on_epoch)
    fits: dict[str, Callable[[], Forecaster]] = {
        "oracle": lambda: _oracle(spec, dataset),
        "climatology": lambda: Climatology.fit(data.train, dataset.n_marks),
        "markov": lambda: Markov.fit(data.train, dataset.n_marks),
        "walk": lambda: Walk.fit(data.train, dataset.n_marks),
        "poisson": lambda: Poisson.fit(data.train, dataset.n_marks, region=dataset.region),
        "etas": lambda: fit_etas(
            data.train, dataset.n_marks, region=dataset.region, completeness=dataset.completeness
        ),
        "hawkes": lambda: fit_hawkes(data.train, dataset.n_marks),
    }
    return fits[name]()


def _oracle(spec: ExperimentSpec, dataset: Dataset) -> Oracle:
    process = HawkesProcess.from_settings(spec.data.simulator)
    return Oracle(process if dataset.n_axes else process.without_places())


def fitting_of(
    spec: ExperimentSpec,
    dataset: Dataset,
    data: PreparedData,
    device: str,
    budget: float | None = None,
) -> Fitting:
    """Returns what a plug-in is fitted to: training and validation data, and no more."""
    return Fitting(
        data.train,
        data.validation,
        dataset.n_marks,
        dataset.time_unit,
        dataset.location_unit,
        spec.seed + FITTING_SEED,
        device,
        budget,
    )


def fit_and_log(name: str, run: Run) -> Forecaster:
    """Returns the baseline `name` of a run of its own, after logging what was fitted.

    What it saves of itself is logged, and the mixture's losses by epoch.

    Raises:
        TrainingError: when a likelihood is not finite.
        BaselineError: when a plug-in cannot be had, or its fit fails.
    """

    def after_epoch(epoch: MixtureEpoch) -> None:
        losses = {"train/loss": epoch.loss, "validation/loss": epoch.validation_loss}
        run.tracker.log_metrics(losses | {"train/seconds": epoch.seconds}, step=epoch.epoch)

    fitted = fit_baseline(name, run.spec, run.dataset, run.data, run.device, after_epoch)
    fitted.save(run.folder / FITTED)
    if (run.folder / FITTED).exists():
        run.tracker.log_artifact(run.folder / FITTED, "baseline")
    return fitted


def _fit_mixture(
    spec: ExperimentSpec, dataset: Dataset, data: PreparedData, device: str, on_epoch: OnEpoch
) -> Mixture:
    """Returns the mixture, fitted now or by an earlier run that was asked for the very same."""
    settings, seed = MixtureSettings(), spec.seed + FITTING_SEED
    told = {"seed": seed, "settings": asdict(settings), "device": device}
    told |= {"marks": dataset.n_marks, "unit": dataset.time_unit}
    place = cache_keys.place_of(kept_fits.KIND, data.train, data.validation, told)
    kept = kept_fits.taken(place, device) if cache_keys.reused() else None
    if kept is not None:
        console.say("fitted by an earlier run; SMASH_REUSE=0 fits it again")
        for epoch in kept.epochs:
            on_epoch(epoch)
        return kept.mixture
    n_targets = int(data.train.is_target.sum())
    epochs: list[MixtureEpoch] = []
    with console.training_progress(n_targets, settings.epochs, 0) as bar:

        def after_epoch(epoch: MixtureEpoch) -> None:
            words = "epoch {epoch}/{total}: loss {loss:.4f}, validation {validation_loss:.4f}"
            bar.epoch(epoch.epoch, words.format(total=settings.epochs, **asdict(epoch)))
            epochs.append(epoch)
            on_epoch(epoch)

        fitted = fit_mixture(
            data.train,
            data.validation,
            dataset.n_marks,
            dataset.time_unit,
            torch.Generator().manual_seed(seed),
            settings,
            device,
            bar.batch,
            after_epoch,
        )
    if cache_keys.reused():
        kept_fits.keep(place, kept_fits.Fit(fitted, tuple(epochs)))
    return fitted
