"""What the documents say is so: their code runs; keys, flags, files and commands exist."""

import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from functools import cache
from itertools import pairwise

import pytest
import yaml
from patience import HANGING
from tiny_runs import ROOT, SCRIPT, environment

import smash
from smash.scores.bootstrap import LOSSES
from smash.workbench.report.forecaster_names import model_name
from smash.workbench.report.run_groups import NOT_SETTINGS
from smash.workbench.runs.drawn_intensity import FILM
from smash.workbench.search.study_spec import StudySpec, load_search
from smash.workbench.specs import keys
from smash.workbench.specs.experiment_spec import (
    ExperimentSpec,
    flatten,
    load_spec,
    spec_from_mapping,
)
from smash.workbench.specs.schema import validate

OTHERWISE_HELD = {"add-a-baseline", "add-a-location-head", "plug-ins", "settings", "api"} | {
    *("results", "performance", "reference-settings", "reference", "gallery", "commands"),
}
"""Pages with tests of their own, or made by code."""
GUIDE = {"README": (ROOT / "README.md").read_text()} | {
    path.stem: path.read_text()
    for path in sorted((ROOT / "docs").glob("*.md"))
    if path.stem not in OTHERWISE_HELD
}
"""What users read, by page."""
EVERYTHING = "\n".join(GUIDE.values())
DOCUMENTS = GUIDE | {"CONTRIBUTING": (ROOT / "CONTRIBUTING.md").read_text()}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
SECTIONS = {name.partition(".")[0] for name in keys.leaves(ExperimentSpec) if "." in name}
MADE_BY_RUNS = ("runs/", "mlruns/", "site/", "Earthquake/", "quakes/")
FILES_OF_RUNS = ("mlflow.db", "studies.db", "model_best.pkl", "spec.yaml", "best.yaml", "error.txt")


def blocks(text, language):
    return [body for kind, body in FENCE.findall(text) if kind == language]


def words(text):
    """Returns what stands between backticks outside of blocks of code."""
    return CODE.findall(FENCE.sub("", text).replace("\\|", "|"))


def section(title):
    """Returns what stands below a heading of README or of a page, up to the next one."""
    below = re.search(rf"^#+ {title}\n(.*?)(?=^#+ |\Z)", EVERYTHING, re.MULTILINE | re.DOTALL)
    assert below, f"no page has the heading {title}"
    return below[1]


def commands(text, script):
    """Returns the calls of a script in a document, each as its arguments."""
    lines = "\n".join(blocks(text, "sh")).replace("\\\n", " ").splitlines()
    calls = [shlex.split(line, comments=True) for line in lines]
    return [call[call.index(script) + 1 :] for call in calls if script in call]


@pytest.mark.parametrize("arguments", commands(EVERYTHING, SCRIPT.name), ids=" ".join)
def test_commands_of_the_documents_name_specs_keys_and_flags_that_exist(arguments):
    kept = (f"{a}/spec.yaml" for a in arguments if a.startswith("experiments/pretrained/"))
    spec = [*(a for a in arguments if a.endswith(".yaml")), *kept]
    overrides = [v for flag, v in pairwise(arguments) if flag == "--set"]
    assert spec or {"--resume", "--help"} & set(arguments)
    for path in spec:
        if not path.startswith(MADE_BY_RUNS):
            load_spec(ROOT / path, overrides)
    assert {a for a in arguments if a.startswith("--")} <= flags()


@pytest.mark.parametrize("arguments", commands(EVERYTHING, "tune.py"), ids=" ".join)
def test_searches_of_the_documents_name_studies_keys_and_flags_that_exist(arguments):
    values = list(pairwise(arguments))
    (study,) = (value for flag, value in values if flag == "--dataset")
    load_search(ROOT / "studies" / f"{study}.yaml", [v for flag, v in values if flag == "--set"])
    assert {a for a in arguments if a.startswith("--")} <= flags("tune.py")


def test_all_flags_of_a_search_are_explained():
    table = rows(section("Search for better settings"))
    explained = {flag for row in table for flag in re.findall(r"--[a-z-]+", row.split("|")[1])}
    assert explained == flags("tune.py") - {"--help"}


def test_a_study_with_all_its_keys_is_in_the_documents_with_their_defaults():
    (body,) = blocks(GUIDE["search"], "yaml")
    shown = yaml.safe_load(body)
    needed = {key: shown[key] for key in ("name", "base", "space")}
    shortest = validate(StudySpec, needed, "the shortest study")
    assert validate(StudySpec, shown, "docs/search.md") == shortest
    assert shown.keys() == StudySpec.model_fields.keys()
    for section in keys.sections(StudySpec):
        known = {key for key in keys.leaves(StudySpec) if key.startswith(f"{section}.")}
        assert {f"{section}.{key}" for key in shown[section]} == known


@cache
def flags(*program):
    shown = subprocess.run(
        [sys.executable, *(program or [str(SCRIPT)]), "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment() | {"COLUMNS": "200"},
        check=True,
    )
    return set(re.findall(r"--[a-z-]+", shown.stdout))


def test_flags_of_the_documents_exist_but_for_the_originals_own():
    theirs = "\n".join(row.split("|")[1] for row in rows(section("Coming from the original")))
    ours = EVERYTHING.replace(section("Coming from the original"), "")
    ours += "\n".join(row.split("|")[2] for row in rows(section("Coming from the original")))
    named = {flag for word in words(ours) for flag in re.findall(r"(?<!\S)--[a-z_-]+", word)}
    assert len(named) > 5
    calls = (("report",), ("forecast",), ("data", "check"), ("data", "estimators"))
    contests = ("earthquakenpp", "next-day", "rivals", "ladder", "page")
    calls += tuple(("contest", name) for name in contests)
    known = flags() | flags("tune.py").union(*(flags("-m", "smash", *call) for call in calls))
    assert named <= known
    assert set(re.findall(r"--\w+", theirs)) == ORIGINAL_FLAGS


def rows(table):
    return [line for line in table.splitlines() if line.startswith("|")][2:]


ORIGINAL_FLAGS = {
    *("--dataset", "--mode", "--model", "--machine", "--dim", "--seed", "--cuda_id"),
    *("--total_epochs", "--batch_size", "--weight_path", "--save_path", "--log_normalization"),
    *("--samplingsteps", "--per_step", "--n_samples", "--langevin_step", "--cond_dim"),
    *("--sigma_time", "--sigma_loc", "--loss_lambda", "--loss_lambda2", "--smooth"),
}
"""All flags of the original implementation's `app.py`."""


def test_keys_of_the_documents_exist():
    known = set(keys.leaves(ExperimentSpec)) | set(keys.sections(ExperimentSpec))
    dotted = re.compile(rf"({'|'.join(SECTIONS)})\.[\w.]+")
    named = {
        w.partition("=")[0] for w in words(EVERYTHING) if dotted.fullmatch(w.partition("=")[0])
    }
    assert len(named) > 20
    assert named <= known


def test_values_set_in_the_documents_are_possible():
    pairs = [w for w in words(EVERYTHING) if re.fullmatch(r"(--set )?[a-z_.]+=[\w.]+", w)]
    assert len(pairs) > 3
    for pair in pairs:
        load_spec(ROOT / "experiments" / "crime.yaml", [pair.removeprefix("--set ")])
    for pair in [w for w in words(EVERYTHING) if re.fullmatch(r"\w+: \w+", w)]:
        spec_from_mapping(yaml.safe_load(pair))


def test_specs_in_the_documents_are_specs():
    others = "\n".join(text for name, text in GUIDE.items() if name != "search")
    for body in blocks(others, "yaml"):
        spec_from_mapping(yaml.safe_load(body))


@pytest.mark.parametrize("text", DOCUMENTS.values(), ids=DOCUMENTS)
def test_files_and_targets_of_the_documents_exist(text):
    ending = re.compile(r"[\w./-]*(\.(py|yaml|md|txt|cff|parquet|db|pkl)|/)|LICENSE")
    paths = {word for word in words(text) if ending.fullmatch(word) and "…" not in word}
    paths |= set(re.findall(r"experiments/[\w/]+\.yaml", text))
    for path in paths - {"/", *FILES_OF_RUNS}:
        assert path.startswith((*MADE_BY_RUNS, *ARTIFACTS)) or (ROOT / path).exists(), path
    targets = re.findall(r"\bmake (\w+)", "\n".join([*blocks(text, "sh"), *words(text)]))
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


LINKED = re.compile(r"\]\((?!https?:)([^)#\s]+)(#[^)\s]*)?\)")


@pytest.mark.parametrize(
    "path",
    [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda path: path.stem,
)
def test_what_documents_link_to_exists(path):
    for target, _ in LINKED.findall(FENCE.sub("", path.read_text())):
        assert (path.parent / target).exists(), target


ARTIFACTS = ("figures/", "scores/", "samples/", "report/", "reports/out/")


def test_what_a_run_is_said_to_leave_is_there(workshop, finished):
    paths = {
        w for w in words(EVERYTHING) if w.startswith(ARTIFACTS[:3]) and "." in w and "…" not in w
    }
    assert {"samples/samples.parquet", "scores/events.parquet", "figures/training.png"} <= paths
    # The tiny run is trained by score matching, which knows no density; the film has its own test.
    assert FILM in paths
    for path in paths - {FILM}:
        assert workshop.artifact(finished.run_id, path).exists()
    metrics = {w for w in words(EVERYTHING) if w.startswith("test/") and "…" not in w}
    assert metrics <= set(finished.metrics)


def test_the_figures_explained_are_those_that_are_logged(finished):
    table = rows(section("What the figures mean"))
    explained = {word for row in table for word in words(row.split("|")[1])}
    # The tiny run is trained by score matching, which knows no density.
    of_laws = {*LOSSES, *(name for name in explained if name.endswith("_law"))}
    assert explained - of_laws <= set(finished.figures)
    assert set(LOSSES) <= explained
    families = {re.sub(r"_(\d+)", "", name).removesuffix("_original") for name in explained}
    for name in finished.figures:
        assert re.sub(r"_(\d+)", "", name).removesuffix("_original") in families, name


PRINTED = {
    "README": ("crps_time",),
    "samples": ("of the gaps lie in", "gap_median"),
    "reading-calibration": ("oracle cs_time", "difference"),
    "forecasts": ("between", "most likely within", "crps_time"),
}
"""What the Python of each page is to print."""


def test_the_pages_whose_python_runs_are_all_that_have_some():
    scripted = {name for name, text in GUIDE.items() if blocks(text, "python")}
    assert scripted - doctested() == set(PRINTED)


def doctested():
    return {name for name, text in GUIDE.items() if ">>> " in text}


@pytest.mark.parametrize("page", PRINTED)
def test_python_of_the_documents_runs(workshop, finished, page):
    script = workshop.folder / f"{page}.py"
    code = "\n".join(blocks(GUIDE[page], "python"))
    script.write_text(code.replace("RUN_ID", finished.run_id))
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=workshop.folder,
        env=environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=HANGING,
    )
    assert done.returncode == 0, done.stderr
    for printed in PRINTED[page]:
        assert printed in done.stdout
    for picture in re.findall(r'savefig\("(.*?)"\)', code):
        assert (workshop.folder / picture).stat().st_size > 0


SPECS = [*(ROOT / "experiments").glob("*.yaml"), *(ROOT / "experiments/published").glob("*.yaml")]


@pytest.mark.parametrize("path", sorted(SPECS), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_documents_say_what_trains_each_shipped_spec(path):
    rows = re.findall(r"^\| (`experiments/.*) \| .* \| (SMASH.*) \|$", EVERYTHING, re.MULTILINE)
    found = [
        name
        for files, name in rows
        if any(fnmatch(str(path.relative_to(ROOT)), file) for file in re.findall(r"`(.*?)`", files))
    ]
    settings = {k: v for k, v in flatten(load_spec(path)).items() if k not in NOT_SETTINGS}
    assert found == [model_name(settings)]


def test_licence_and_citation_agree_with_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = (ROOT / "pyproject.toml").read_text()
    assert smash.__version__ == citation["version"]
    assert f'license = "{citation["license"]}"' in project
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    titles = [reference["title"] for reference in citation["references"]]
    assert any("Score Matching-based Pseudolikelihood" in title for title in titles)
    assert "Spatio-temporal Diffusion Point Processes" in titles
