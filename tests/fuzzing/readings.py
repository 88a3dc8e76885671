"""A folder of whole files of every kind, and what reads each as a user's command would."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from original_naming import save_original
from synthetic import random_sequences

import smash
import smash.forecast.event_forecaster
from smash.baselines.mixture import Mixture, MixtureSettings
from smash.baselines.mixture_inputs import Standardisation
from smash.data.batching import ScaledSequences
from smash.data.catalogues import read_catalogue
from smash.data.dataset import build_dataset
from smash.data.readers import read_split, read_splits, read_table_splits
from smash.data.scaling import fit_scaler
from smash.data.table_files import read_table
from smash.errors import SmashError
from smash.law.samples import Forecast, Samples
from smash.manifest import write_manifest
from smash.model.original_checkpoint import load_original
from smash.model.smash import About, Smash
from smash.model.training import Trainer
from smash.scores.recalibration import Levels, Recalibration, way_of
from smash.settings import (
    Columns,
    ModelSettings,
    ObjectiveSettings,
    ScalingSettings,
    TrainingSettings,
)
from smash.workbench.runs.samples_file import SamplesWriter, read_samples
from smash.workbench.search.study_spec import load_search
from smash.workbench.specs.experiment_spec import load_spec

COLUMNS = Columns(mark="mark", sequence="sequence")
HISTORY = pd.DataFrame({"time": [0.4, 1.1], "x": [0.1, 0.3], "y": [0.0, 0.2], "mark": ["0", "2"]})
MODEL = ModelSettings(
    cond_dim=8,
    n_layers=1,
    num_units=8,
    base="climatology",
    time_encoding="relative",
    periods=(24.0,),
)
LIKELIHOOD = ObjectiveSettings(kind="likelihood", law_points=16)
PUBLISHED = ModelSettings(cond_dim=8, n_layers=1, num_units=8)
TRAINING = TrainingSettings(total_epochs=2, batch_size=3, eval_every=1)
SPEC = Path(__file__).parents[2] / "experiments" / "simulated.yaml"
STUDY = {"base": "spec.yaml", "space": {"training.learning_rate": [0.001, 0.01]}}


def make_base(folder: Path) -> Path:
    """Returns a new folder with a whole file of each kind."""
    folder.mkdir()
    torch.manual_seed(0)
    data = build_dataset(
        "random",
        random_sequences([9, 5, 12, 7], seed=1),
        random_sequences([6, 4, 10], seed=2),
        random_sequences([7, 2, 9], seed=3),
        time_unit="hours",
        mark_names=("0", "1", "2"),
    )
    scaler = fit_scaler([data.train], ScalingSettings())
    model = Smash.untrained(MODEL, LIKELIHOOD, data.train, scaler, 3, About.of(data))
    levels = Levels.fit(np.linspace(0.01, 0.99, 50))
    recalibration = Recalibration(
        levels, levels, 1.5, 50, 5, way_of(smash.forecast.event_forecaster.FORECAST)
    )
    for name in ("model", "kept"):
        model.save(folder / name)
        recalibration.save(folder / name)
    write_manifest(folder / "kept", data.name, data.digest)
    Mixture(
        MixtureSettings(units=8, components=2), 3, Standardisation.of(data.train, "hours")
    ).save(folder / "mixture")
    _trainer(folder).fit()
    save_original(Smash(PUBLISHED, 3, scaler), folder / "original.pkl")
    (folder / "spec.yaml").write_text(SPEC.read_text())
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    _write_events(folder, data.train)
    _write_samples(folder, data.test)
    return folder


def _write_events(folder: Path, events) -> None:
    table = pd.DataFrame(
        {
            "sequence": [f"s{i}" for i in events.sequence],
            "time": events.time,
            "x": events.location[:, 0],
            "y": events.location[:, 1],
            "mark": events.mark,
        }
    )
    table.to_csv(folder / "events.csv", index=False)
    table.to_parquet(folder / "events.parquet")
    rows = table[["time", "mark", "x", "y"]].to_numpy().tolist()
    nested = [rows[a:b] for a, b in zip(events.offsets[:-1], events.offsets[1:], strict=True)]
    content = [*nested[:-1], np.array(nested[-1]), []]
    (folder / "events.pkl").write_bytes(pickle.dumps(content))
    np.savez(
        folder / "events.npz",
        time=events.time,
        location=events.location,
        mark=events.mark,
        lengths=events.lengths,
        window=events.window,
        other=np.zeros(3),
    )
    _write_sequences(folder, events)


def _write_sequences(folder: Path, events) -> None:
    """Writes the files of other projects."""
    rows = np.column_stack([events.time, events.location])
    sequences = np.split(rows, events.offsets[1:-1])
    np.savez(folder / "sequences.npz", **{f"2019{i:02d}": each for i, each in enumerate(sequences)})
    held = np.empty(len(sequences), object)
    held[:] = sequences
    np.savez(folder / "splits.npz", train=held, val=held[1:], test=held)
    lines = [
        {"times": each[:, 0].tolist(), "locations": each[:, 1:].tolist(), "marks": marks.tolist()}
        for each, marks in zip(sequences, np.split(events.mark, events.offsets[1:-1]), strict=True)
    ]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    timed = [{"time_since_start": line["times"], "type_event": line["marks"]} for line in lines]
    (folder / "easytpp.json").write_text(json.dumps(timed))
    pickled = [
        [{"time_since_start": t, "type_event": k} for t, k in zip(*each.values(), strict=True)]
        for each in timed
    ]
    (folder / "easytpp.pkl").write_bytes(pickle.dumps({"dim_process": 3, "train": pickled}))


def _write_samples(folder: Path, events) -> None:
    targets, n_draws = events.targets(), 5
    draws = np.random.default_rng(0).random((len(targets), n_draws))
    marks = draws.round().astype(int)
    samples = Samples(draws, np.stack([draws, draws], -1), marks, None, draws[:, :3])
    with SamplesWriter(folder / "samples.parquet") as writer:
        writer.write(Forecast(targets, samples))


def _trainer(folder: Path) -> Trainer:
    torch.manual_seed(0)
    train, validation = random_sequences([6, 4, 5], seed=1), random_sequences([4, 3], seed=2)
    scaler = fit_scaler([train], ScalingSettings())
    model = Smash(PUBLISHED, 3, scaler)
    scaled = [ScaledSequences(sequences, scaler) for sequences in (train, validation)]
    objective = ObjectiveSettings(n_noise=2)
    return Trainer(model, *scaled, objective, TRAINING, folder / "training", seed=5)


def model(folder: Path) -> None:
    """Forecasts with the model in the folder; an answer is numbers."""
    forecaster = smash.load(folder / "model")
    recalibrated = forecaster.recalibration is not None
    event = forecaster.next(HISTORY, n_samples=20, recalibrated=recalibrated)
    assert np.isfinite(event.samples.select_dtypes("number").to_numpy()).all()
    futures = forecaster.simulate(HISTORY, horizon=1.0, n_paths=3, max_events=200)
    assert np.isfinite(futures.table().select_dtypes("number").to_numpy()).all()


def kept_model(folder: Path) -> None:
    smash.load(folder / "kept")


def mixture(folder: Path) -> None:
    Mixture.load(folder / "mixture")


def training(folder: Path) -> None:
    trainer = _trainer(folder)
    trainer.resume()
    trainer.fit()


def original(folder: Path) -> None:
    train = random_sequences([6, 4, 5], seed=1)
    load_original(folder / "original.pkl", PUBLISHED, fit_scaler([train], ScalingSettings()))


def spec(folder: Path) -> None:
    load_spec(folder / "spec.yaml")


def study(folder: Path) -> None:
    load_search(folder / "study.yaml")


def samples(folder: Path) -> None:
    read_samples(folder / "samples.parquet")


def table(name: str) -> Callable[[Path], None]:
    """Returns what reads a file of events as a split of a data set and, if a table, as history."""

    def read(folder: Path) -> None:
        problem: SmashError | None = None
        path = folder / name
        try:
            splits, _ = read_splits({"train": path, "test": path}, COLUMNS)
            events = splits["train"]
            assert np.isfinite(events.time).all()
            assert np.isfinite(events.location).all()
            build_dataset("altered", events, events, events).summary()
        except SmashError as error:
            problem = error
        if path.suffix in (".csv", ".parquet"):
            forecaster = smash.load(folder / "model")
            event = forecaster.next(read_table(path).frame.head(9), n_samples=20)
            assert np.isfinite(event.samples.select_dtypes("number").to_numpy()).all()
        if problem:
            raise problem

    return read


def splits(folder: Path) -> None:
    """Reads a file of three splits as a spec does, and as a catalogue is read."""
    read_table_splits(folder / "splits.npz", COLUMNS)
    read_catalogue(folder / "splits.npz", COLUMNS)


def everything(folder: Path) -> None:
    """Reads all files of the folder, of which one is none; that one is refused."""
    refused = 0
    for read in (
        model,
        kept_model,
        mixture,
        training,
        original,
        spec,
        study,
        samples,
        *(
            lambda folder, kind=kind: read_split(folder / f"events.{kind}", COLUMNS)
            for kind in ("csv", "parquet", "npz", "pkl", "jsonl")
        ),
        lambda folder: read_split(folder / "sequences.npz", COLUMNS),
        splits,
        *(table(f"easytpp.{kind}") for kind in ("json", "pkl")),
    ):
        try:
            read(folder)
        except SmashError:
            refused += 1
    assert refused == 1, f"{refused} were refused"
