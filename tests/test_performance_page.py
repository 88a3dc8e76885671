"""docs/performance.md is what the report makes of measurements, and says where they come from."""

import json
import re
import sys

import pytest
from tiny_runs import ROOT

PAGE = ROOT / "docs" / "performance.md"
ORIGIN = {"machine": "a CPU, 2 cores", "commit": "0123456789ab", "date": "2026-01-01"}
BENCH = {
    "machine_info": {"machine": "x86_64", "cpu": {"brand_raw": "a CPU", "count": 2}},
    "commit_info": {"id": "0123456789abcdef", "dirty": False},
    "datetime": "2026-01-01T12:00:00",
    "benchmarks": [
        {
            "name": "test_langevin[table]",
            "extra_info": {
                "against": "the original",
                "unit": "s",
                "fast": 0.5,
                "slow": 3.0,
                "ratio": 6.0,
                "target": 4,
            },
        },
        {
            "name": "test_growth",
            "extra_info": {
                "growth": [{"events": 2000, "before": 400, "training": 0.5, "megabytes": 480}]
            },
        },
    ],
}
QUALITY = ORIGIN | {
    "name": "crime",
    "matched": True,
    "overrides": ["objective.kind=likelihood"],
    "mixture": {"crps_time": 1.1, "energy_location": 0.04},
    "mixture_seconds": 16.0,
    "epochs": [{"epoch": 2, "seconds": 29.0, "crps_time": 1.09, "energy_location": 0.0399}],
}
STUDY = ORIGIN | {
    "name": "crime",
    "n_events": 400,
    "n_samples": 100,
    "denoising": [{"denoise": "posterior", "CRPS": 0.93456}],
    "location": [{"steps": 40, "energy score": 0.04}],
}


ON_GPU = ORIGIN | {
    "rows": [{"work": "an epoch", "now": 0.25, "plain": 4.3, "goal": 0.35, "note": "all at once"}],
    "agreement": [{"line": "one step: 1e-07 apart"}],
    "models": ORIGIN | {"lines": [{"line": "as published: gradients 0.0007 apart"}]},
}


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "benchmarks"))
    import report

    yield report
    sys.modules.pop("report")


def test_the_page_holds_every_measurement_and_where_it_comes_from(report, tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps(BENCH))
    (tmp_path / "quality-crime.json").write_text(json.dumps(QUALITY))
    (tmp_path / "samplers-crime.json").write_text(json.dumps(STUDY))
    (tmp_path / "gpu.json").write_text(json.dumps(ON_GPU))
    page = tmp_path / "docs" / "performance.md"
    report.main(str(tmp_path / "bench.json"), str(tmp_path), str(page))
    text = page.read_text()
    assert "| langevin[table] | the original | 0.5 s | 3 s | 6.0 | ≥ 4 |" in text
    assert "| 2000 (sequences) | 0.25 |  | 480 |" in text
    assert "| crime | yes | 2 | 29 | 1.09 | 1.1 | 0.0399 | 0.04 | 16 |" in text
    assert "| posterior | 0.9346 |" in text
    assert "| an epoch | 0.25 s | 4.3 s | ≤ 0.35 s | all at once |" in text
    assert "- as published: gradients 0.0007 apart" in text
    assert "- one step: 1e-07 apart" in text
    assert text.count("commit 0123456789ab; 2026-01-01") == 5


def test_the_committed_page_says_where_its_figures_come_from():
    origin = r"Machine: .+, \d+ cores; commit [0-9a-f]{12}; \d{4}-\d\d-\d\d\."
    assert re.search(origin, PAGE.read_text())


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "measurements").glob("*.json")), ids=str)
def test_the_committed_page_holds_the_kept_measurements(report, path):
    kept = json.loads(path.read_text())
    ways = {"samplers": report.samplers, "gpu": report.gpu}
    write = ways.get(path.stem.split("-")[0], lambda kept: report.quality([kept]))
    text = write(kept)
    last = text.strip().splitlines()[-1]
    assert last in PAGE.read_text()
