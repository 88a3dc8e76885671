"""Times the work of docs/performance.md on a GPU: python tests/benchmarks/gpu.py FILE.

Takes about five minutes; SMASH_DATA names the data. First every kind of model is held against the
same on the processor, and the fused kernels against the plain way; then each line is measured with
what is shipped and with fast ways and `auto` off. FILE is the JSON from which `report.py` makes the
page's section; kept as `docs/measurements/gpu.json`.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from agreement import agreement
from devices import on_both_devices

from smash.catalogue import load_dataset
from smash.data.batching import ScaledSequences
from smash.data.dataset import Dataset
from smash.data.protocol import prepare
from smash.forecast.model_forecaster import ModelForecaster
from smash.model.smash import Smash
from smash.model.training import Trainer
from smash.sampling import sample_blocks, to_samples
from smash.scores.evaluation import scales_of, score_forecasts
from smash.settings import (
    DataSettings,
    ModelSettings,
    ObjectiveSettings,
    SamplingSettings,
    ScalingSettings,
    ScoreSettings,
    TrainingSettings,
)
from smash.shipped_files import find_model, find_spec
from smash.workbench.runs.model_fits import new_trainer
from smash.workbench.specs.experiment_spec import load_spec

DEVICE = "cuda"
PUBLISHED = {
    "crime": ModelSettings(cond_dim=64, sigma_time=0.3, sigma_loc=0.03),
    "earthquake": ModelSettings(cond_dim=16, sigma_time=0.2, sigma_loc=0.25),
}
PLAIN_TRAINING = {"block_sequences": 8, "block_events": 128, "graphed": False}
PLAIN = {
    "block_events": 128,
    "n_samples": 30,
    "test_batch_size": 32,
    "matmul_precision": "highest",
    "fused": False,
    "cuda_graph": False,
}
"""What `auto` is on a CPU, as it was everywhere before sizes followed the device."""
CHAIN = SamplingSettings(sampler="langevin", denoise="tweedie", location_steps=200)
FAST = SamplingSettings(location_steps=60)
PLAIN_STEPS = 20
"""Steps of the plain chain that are timed; all take equally long."""


def seconds(work: Callable[[], object]) -> float:
    """Returns how long work takes until the GPU has done it."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - started


class Table:
    """Lines of the page as they come, and what went wrong."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.failed: list[str] = []

    def add(self, work: str, now: float, plain: float | None, goal: float | None, note="") -> None:
        self.rows.append({"work": work, "now": now, "plain": plain, "goal": goal, "note": note})
        before = "" if plain is None else f", plain {plain:.3g}"
        say(f"{work}: {now:.3g} s{before}; goal {goal} {note}")


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def trainer(name: str, dataset: Dataset, root: Path, **sizes: Any) -> Trainer:
    """Returns the trainer of a published experiment."""
    data = prepare(dataset, "original", ScalingSettings())
    torch.manual_seed(0)
    model = Smash(PUBLISHED[name], dataset.n_marks, data.scaler).to(DEVICE)
    scaled = [ScaledSequences(split, data.scaler, DEVICE) for split in (data.train, data.test)]
    return Trainer(model, *scaled, ObjectiveSettings(), TrainingSettings(**sizes), root, seed=0)


def train(table: Table, name: str, goal: float) -> Smash:
    """Times an epoch of a published training, without its validation; returns the model."""
    dataset, fit = load_dataset(DataSettings(name=name)), {}
    with tempfile.TemporaryDirectory() as folder:
        for way, sizes in (("now", {}), ("plain", PLAIN_TRAINING)):
            ours = fit[way] = trainer(name, dataset, Path(folder), **sizes)
            # Graphs are recorded in the first epochs.
            epochs = 12 if way == "now" else 2
            times = [ours._epoch(epoch).seconds for epoch in range(epochs)]
            say(f"{name}, {way}: epochs of {[round(taken, 2) for taken in times]} s")
            fit[way + " seconds"] = float(np.median(times[epochs // 2 :]))
            fit[way + " sizes"] = ours.sizes
    note = f"blocks: {fit['now sizes']}"
    table.add(f"{name}, an epoch", fit["now seconds"], fit["plain seconds"], goal, note)
    return fit["now"].model.eval()


def train_as_shipped(table: Table, name: str) -> None:
    """Times an epoch of a shipped spec, by likelihood and with its law of places."""
    spec = load_spec(find_spec(Path(name)))
    dataset = load_dataset(spec.data)
    data = prepare(dataset, spec.protocol, spec.scaling)
    with tempfile.TemporaryDirectory() as folder:
        ours = new_trainer(spec, dataset, data, DEVICE, Path(folder))
        times = [ours._epoch(0).seconds for _ in range(3)]
    note = f"batches of {spec.training.batch_size}; {len(data.train)} sequences"
    table.add(f"{name} as shipped, an epoch", float(np.median(times)), None, None, note)


def whole_test(table: Table) -> None:
    """Times `smash run pretrained:football --stage test` from start to end, and its parts."""
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder) / "summary.json"
        command = [sys.executable, "-m", "smash", "run", "pretrained:football", "--stage", "test"]
        command += ["--set", "baselines=[]", "--summary", str(summary)]
        uri = f"sqlite:///{folder}/mlflow.db"
        environment = os.environ | {
            "MLFLOW_TRACKING_URI": uri,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        taken = seconds(
            lambda: subprocess.run(command, check=True, cwd=folder, env=environment, timeout=200)
        )
    table.add("smash run pretrained:football --stage test", taken, None, 15.0)


def graphs_agree() -> list[dict[str, Any]]:
    """Compares loss and gradient of a batch by a graph and kernel by kernel, without dropout."""
    dataset, found = load_dataset(DataSettings(name="earthquake")), []
    with tempfile.TemporaryDirectory() as folder:
        ours = trainer("earthquake", dataset, Path(folder))
        model = ours.model
        for module in model.modules():
            if hasattr(module, "dropout"):
                module.dropout = 0.0
        # Noise that is the same for all, however many draw it.
        noise = torch.randn(1, ours.objective.n_noise, 3, device=DEVICE)
        ours._draw_noise = lambda n, generator: noise.expand(n, -1, -1)
        model.train()
        for indices in (list(range(32)), list(range(40, 72)), list(range(100, 116))):
            batch = ours.train.batch(indices)
            losses = []
            for way in ("plain", "graph", "graph", "graph"):
                ours.optimizer.zero_grad()
                loss = ours._graphed(batch) if way == "graph" else None
                if loss is None:
                    loss = ours._loss_of(model, batch, ours.noise, backward=True)
                grads = torch.cat([p.grad.flatten() for p in ours.parameters if p.grad is not None])
                losses.append((loss, grads.clone()))
            (_, wanted), *_, (_, got) = losses
            apart = float((wanted - got).norm() / wanted.norm())
            line = f"a training step by a graph: gradients {apart:.2g} apart, of their norm"
            found.append({"line": line, "apart": apart, "at_most": 1e-3})
    return found


def chain(table: Table, model: Smash) -> None:
    """Times the published chain on Earthquake's whole test set."""
    test = load_dataset(DataSettings(name="earthquake")).test
    draws = CHAIN.total_samples

    def draw(settings: SamplingSettings) -> None:
        forecaster = ModelForecaster(model, settings)
        for _ in forecaster.forecast(test, draws, torch.Generator(DEVICE).manual_seed(0)):
            pass

    seconds(lambda: draw(replace(CHAIN, sampling_steps=2, per_step=2)))  # compiles
    now = seconds(lambda: draw(CHAIN))
    contexts = all_contexts(model, test)
    plain = replace(CHAIN, **PLAIN, sampling_steps=PLAIN_STEPS, per_step=PLAIN_STEPS)
    plain = replace(plain, denoise="none", block_events=4096, n_samples=draws)
    a_few = seconds(lambda: list(sample_blocks(model, contexts, plain, generator())))
    note = f"plain: {PLAIN_STEPS} steps, times {CHAIN.sampling_steps // PLAIN_STEPS}"
    whole = a_few * CHAIN.sampling_steps / PLAIN_STEPS
    table.add("Earthquake's test set by Langevin, 2000 steps", now, whole, 10.0, note)
    kernel = seconds(lambda: list(sample_blocks(model, contexts, CHAIN, generator())))
    table.add("of which the chain itself", kernel, None, None)


def all_contexts(model: Smash, sequences) -> torch.Tensor:
    with torch.no_grad():
        scaled = ScaledSequences(sequences, model.scaler, DEVICE)
        return torch.cat([model.contexts(batch) for batch in scaled.batches(256)])


def generator() -> torch.Generator:
    return torch.Generator(DEVICE).manual_seed(0)


def fast_sampler(table: Table, model: Smash) -> None:
    """Times the fast sampler on the same test set."""
    contexts = all_contexts(model, load_dataset(DataSettings(name="earthquake")).test)

    def draw(settings: SamplingSettings) -> None:
        list(sample_blocks(model, contexts, settings, generator()))

    def with_samples() -> None:
        [block] = sample_blocks(model, contexts, FAST, generator())
        to_samples(block.chains, model.scaler)

    plain = replace(FAST, **PLAIN)
    draw(FAST), draw(plain)
    table.add(
        "the same by the fast sampler", best(lambda: draw(FAST)), best(lambda: draw(plain)), 0.4
    )
    table.add("the same, in raw units on the host", best(with_samples), None, None)


def best(work: Callable[[], object], rounds: int = 3) -> float:
    return min(seconds(work) for _ in range(rounds))


def kept_football(table: Table) -> None:
    """Times drawing and scoring the test set of the kept model."""
    dataset = load_dataset(DataSettings(name="football"))
    model = Smash.load(find_model("pretrained:football"), DEVICE)
    for way, settings in (("now", SamplingSettings()), ("plain", SamplingSettings(**PLAIN))):
        test = dataset.test if way == "now" else dataset.test.select(range(2))
        share = int(test.is_target.sum()) / int(dataset.test.is_target.sum())
        spent: dict[str, float] = {}
        forecaster = ModelForecaster(model, settings)

        def work(forecaster=forecaster, test=test, spent=spent) -> None:
            found = score_forecasts(
                forecaster,
                test,
                300,
                ScoreSettings(original=True),
                generator(),
                scales_of(dataset.train),
            )
            spent["scoring"] = found.scoring_seconds

        whole = seconds(work)
        spent["drawing"] = whole - spent["scoring"]
        if way == "now":
            now = (whole, spent)
        else:
            note = f"drawing {now[1]['drawing']:.3g}, scoring {now[1]['scoring']:.3g} s"
            note += f"; plain: drawing {spent['drawing'] / share:.3g} s, of 2 sequences"
            table.add("the kept football model's test", now[0], whole / share, 15.0, note)


def futures(table: Table) -> None:
    """Times 1000 paths of about 100 events of kept models."""
    for name in ("crime", "football"):
        dataset = load_dataset(DataSettings(name=name))
        model = Smash.load(find_model(f"pretrained:{name}"), DEVICE)
        one = dataset.test.select([0])
        rate = one.n_events / float(np.ptp(one.time))
        horizon, now = 100 / rate, float(one.time[-1])
        drawn: list[Any] = []

        def work(model=model, one=one, now=now, horizon=horizon, drawn=drawn) -> None:
            drawn.append(
                ModelForecaster(model).simulate(one, now, horizon, 1000, generator(), 2000)
            )

        taken = best(work, 2)
        a_path, longest = drawn[-1].counts.mean(), drawn[-1].counts.max()
        note = f"{a_path:.0f} events a path, {longest} at most"
        table.add(f"1000 futures of {name}", taken * 100 / a_path, None, 1.0, note + "; for 100")


def imports(table: Table) -> None:
    """Times a fresh interpreter that imports what a forecast needs."""
    code = "import smash.forecast.event_forecaster, smash.scores.evaluation, smash.model.training"
    taken = seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True))
    table.add("importing what a run needs", taken, None, None)


def origin(commit: str) -> dict[str, str]:
    return {
        "machine": f"{torch.cuda.get_device_name()}, torch {torch.__version__}, "
        f"{len(os.sched_getaffinity(0))} cores",
        "commit": commit,
        "date": date.today().isoformat(),
        "python": platform.python_version(),
    }


def main(target: str, commit: str = "unknown") -> None:
    """Measures and writes the whole table; what fails is said, and the rest is measured."""
    started, table, found = time.perf_counter(), Table(), {}

    def attempt(part: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return part(*arguments)
        except Exception:  # noqa: BLE001
            table.failed.append(f"{part.__name__}: {traceback.format_exc().splitlines()[-1]}")
            traceback.print_exc()

    models = attempt(lambda: list(on_both_devices())) or []
    agreed = [*(attempt(agreement) or []), *(attempt(graphs_agree) or [])]
    for line in (*models, *agreed):
        say(line["line"])
    crime = attempt(train, table, "crime", 0.35)
    del crime
    model = attempt(train, table, "earthquake", 0.6)
    if model is not None:
        attempt(chain, table, model)
        attempt(fast_sampler, table, model)
    attempt(kept_football, table)
    attempt(futures, table)
    for name in ("crime", "earthquake", "football"):
        attempt(train_as_shipped, table, name)
    attempt(whole_test, table)
    attempt(imports, table)
    where = origin(commit)
    found = {"rows": table.rows, "agreement": agreed, "failed": table.failed}
    found["models"] = where | {"lines": models}
    Path(target).write_text(json.dumps(where | found, indent=1) + "\n")
    say(f"{time.perf_counter() - started:.0f} s in all; failed: {table.failed or 'nothing'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
