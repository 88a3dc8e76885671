"""Writes docs/performance.md from measurements: python report.py BENCH.json STUDIES FILE.

BENCH.json is pytest-benchmark's. STUDIES, the folder `docs/measurements`, holds what takes longer
and is run by hand: `quality-*.json` of `time_to_quality.py`, `samplers-*.json` of
`sampler_study.py`, `gpu.json` of `gpu.py`.
"""

import json
import sys
from pathlib import Path
from typing import Any

HEAD = """# Performance

Written by `make bench`, from what it measures and from the studies kept in `docs/measurements/`;
nothing here is typed by hand. Each line compares two ways of doing the
same work on the same machine, in turns, with one thread each. Seconds are the processor's, which
other work on the machine changes less than the clock's, though it takes its share of the caches;
of several rounds the median, for the ratio that of the rounds' ratios. The original is
[zichongli5/SMASH](https://github.com/zichongli5/SMASH), run on the CPU.

{provenance}

| work | compared with | ours | theirs | ratio | asked for |
|---|---|---|---|---|---|
"""
GROWTH = """
## Growth

Seconds for a thousand events, and the most memory a process took, imports (about {base:.0f} MB)
included; a small model, as the slope is what is looked for (`tests/benchmarks/grow.py`).
`sequences`: an epoch, and a forecast of 10 draws, of simulated sequences of 50 events. `long`: a
training step on one sequence, in windows of `model.max_context` = 1024.

| events | training (s / 1000) | forecast (s / 1000) | memory (MB) |
|---|---|---|---|
"""
QUALITY = """
## Time to quality

Processor seconds of one thread from the start of training until CRPS of the gap and energy score
of the location on validation data are those of the `mixture` baseline, tried every few epochs;
`tests/benchmarks/time_to_quality.py` does this.

| data | matched | epoch | seconds | CRPS | mixture | energy score | mixture | its seconds |
|---|---|---|---|---|---|---|---|---|
"""
SAMPLERS = """
## Samplers: {name}

{n_events} validation events, {n_samples} draws each (`tests/benchmarks/sampler_study.py`). First
the law that times come from and what becomes of the noise, beside the published chain; then how
many steps the location takes, with the energy score's difference from a long chain of small steps
and its standard error over events. Seconds are those of drawing and scoring.

"""
GPU = """
## On a GPU

Seconds by the clock with default settings (`device: auto`), beside the same code with the fast ways
off and the sizes that `auto` is on a CPU (`tests/benchmarks/gpu.py`, which takes minutes and is
run by hand where there is a GPU). The published chain and the chain of places go many steps in one
Triton kernel (`sampling.fused`): an event's chains stay in registers, the network's weights on
chip, noise is drawn within. A training waits for the GPU once in many batches, and replays what it
can from CUDA graphs (`training.graphed`).

| work | now | with fast ways off | asked for | |
|---|---|---|---|---|
"""
WAYS = ("now", "plain")
AGREEMENT = """
Fused kernels beside the plain way, on the same GPU: steps without noise, by the rounding of
products, and draws of both as laws (the least p value of many tests, times their number).

"""

MODELS = """
Every kind of model on the GPU beside the same on the processor: a training step's gradient, and log
densities in nats; each also drew, rolled out futures and was validated.

"""


def main(bench: str, studies: str, target: str) -> None:
    """Reads what was measured and writes the page."""
    run, folder = json.loads(Path(bench).read_text()), Path(studies)
    text = comparisons(run) + growth(run)
    text += quality([json.loads(path.read_text()) for path in sorted(folder.glob("quality-*"))])
    for path in sorted(folder.glob("samplers-*.json")):
        text += samplers(json.loads(path.read_text()))
    Path(target).parent.mkdir(exist_ok=True)
    Path(target).write_text(text + gpu(json.loads((folder / "gpu.json").read_text())))


def comparisons(run: dict[str, Any]) -> str:
    """Returns the head of the page and a row for each comparison."""
    text = HEAD.format(provenance=bench_origin(run))
    for result in run["benchmarks"]:
        info, name = result["extra_info"], result["name"].removeprefix("test_").replace("_", " ")
        if "ratio" in info:
            asked = f"≥ {info['target']:g}" if info["target"] else ""
            text += (
                f"| {name} | {info['against']} | {info['fast']:.4g} {info['unit']} "
                f"| {info['slow']:.4g} {info['unit']} | {info['ratio']:.1f} | {asked} |\n"
            )
    return text


def growth(run: dict[str, Any]) -> str:
    """Returns the table of costs by size."""
    results = run["benchmarks"]
    rows = [(r["name"], cost) for r in results for cost in r["extra_info"].get("growth", [])]
    if not rows:
        return ""
    text = GROWTH.format(base=rows[0][1]["before"])
    for name, cost in rows:
        kind = "sequences" if name == "test_growth" else "long"
        train, forecast = (
            f"{1000 * cost[part] / cost['events']:.2f}" if part in cost else ""
            for part in ("training", "forecast")
        )
        text += f"| {cost['events']} ({kind}) | {train} | {forecast} | {cost['megabytes']:.0f} |\n"
    return text


def quality(results: list[dict[str, Any]]) -> str:
    """Returns the table of times to quality."""
    if not results:
        return ""
    text = QUALITY
    for result in results:
        last, mixture = result["epochs"][-1], result["mixture"]
        text += (
            f"| {result['name']} | {'yes' if result['matched'] else 'no'} | {last['epoch']} "
            f"| {last['seconds']:.0f} | {last['crps_time']:.4g} | {mixture['crps_time']:.4g} "
            f"| {last['energy_location']:.4g} | {mixture['energy_location']:.4g} "
            f"| {result['mixture_seconds']:.0f} |\n"
        )
    for result in results:
        keys = " ".join(f"`{override}`" for override in result["overrides"])
        text += f"\n{result['name']}: {keys}. {origin(**result)}\n"
    return text


def samplers(study: dict[str, Any]) -> str:
    """Returns the tables of a study of samplers."""
    text = SAMPLERS.format(**study)
    for rows in (study["denoising"], study["location"]):
        text += "| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|\n"
        for row in rows:
            text += "| " + " | ".join(_cell(value) for value in row.values()) + " |\n"
        text += "\n"
    return text + origin(**study) + "\n"


def gpu(study: dict[str, Any]) -> str:
    """Returns what was last measured on a GPU."""
    text = GPU
    for row in study["rows"]:
        now, plain = (f"{row[way]:.3g} s" if row[way] is not None else "" for way in WAYS)
        asked = f"≤ {row['goal']:g} s" if row["goal"] else ""
        text += f"| {row['work']} | {now} | {plain} | {asked} | {row['note']} |\n"
    text += AGREEMENT + "".join(f"- {line['line']}\n" for line in study["agreement"])
    text += "\n" + origin(**study) + "\n"
    if models := study.get("models"):
        text += MODELS + "".join(f"- {line['line']}\n" for line in models["lines"])
        text += "\n" + origin(**models) + "\n"
    return text


def bench_origin(run: dict[str, Any]) -> str:
    """Returns where pytest-benchmark's figures come from."""
    machine, commit = run["machine_info"], run["commit_info"]
    name = machine["cpu"].get("brand_raw", machine["machine"])
    return origin(
        machine=f"{name}, {machine['cpu'].get('count', '?')} cores",
        commit=commit.get("id", "unknown")[:12] + (" (dirty)" if commit.get("dirty") else ""),
        date=run["datetime"][:10],
    )


def origin(machine: str, commit: str, date: str, **_: object) -> str:
    """Returns where figures come from, in a line."""
    return f"Machine: {machine}; commit {commit}; {date}."


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main(*sys.argv[1:])
