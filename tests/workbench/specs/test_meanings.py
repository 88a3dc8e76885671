"""Every key says what it is, in one line, wherever people meet it."""

from pathlib import Path

import pytest

from smash.errors import SpecError
from smash.workbench.specs import keys, meanings
from smash.workbench.specs.experiment_spec import ExperimentSpec, spec_from_mapping
from smash.workbench.specs.schema import put

ROOT = Path(__file__).parents[3]
KNOWN = (*keys.leaves(ExperimentSpec), *keys.sections(ExperimentSpec))


@pytest.mark.parametrize("key", KNOWN)
def test_every_key_and_section_has_one_line_that_ends_with_a_full_stop(key):
    line = meanings.meaning(key, ExperimentSpec)
    assert line
    assert line.endswith(".")
    assert "\n" not in line


@pytest.mark.parametrize("key", KNOWN)
def test_a_key_is_explained_with_its_line_its_bounds_and_its_default(key):
    said = meanings.explanation(key, ExperimentSpec)
    assert key in said.splitlines() or key in keys.sections(ExperimentSpec)
    for leaf in [leaf for leaf in keys.leaves(ExperimentSpec) if leaf.rpartition(".")[0] == key]:
        assert meanings.explanation(leaf, ExperimentSpec) in said
    if key in keys.leaves(ExperimentSpec):
        assert meanings.meaning(key, ExperimentSpec) in said
        assert f"takes {keys.expectation(key, ExperimentSpec)}" in said
        assert f"default: {meanings.default(key, ExperimentSpec)}" in said


@pytest.mark.parametrize("key", [key for key in keys.leaves(ExperimentSpec) if key != "name"])
def test_the_default_said_is_the_one_a_spec_has(key):
    from smash.workbench.specs import strict_yaml

    default = meanings.default(key, ExperimentSpec)
    if default == meanings.ASKED or key.rpartition(".")[0] in keys.parts(ExperimentSpec):
        return  # below a part that is off by default
    mapping: dict = {}
    put(mapping, key, strict_yaml.parse(default, "default"))
    assert spec_from_mapping(mapping) == ExperimentSpec()


def test_keys_and_sections_are_found_by_their_endings_and_the_nearest_is_named():
    short, full = (meanings.explanation(k, ExperimentSpec) for k in ("periods", "model.periods"))
    assert short == full
    short, full = (meanings.explanation(k, ExperimentSpec) for k in ("columns", "data.columns"))
    assert short == full
    with pytest.raises(SpecError, match=r"model\.sigma_time"):
        meanings.explanation("sigma_tme", ExperimentSpec)
    with pytest.raises(SpecError, match=r"training\.block_events or sampling\.block_events"):
        meanings.explanation("block_events", ExperimentSpec)


def test_a_wrong_value_is_refused_with_the_line_of_its_key():
    for section, name, value in (("model", "sigma_time", 30), ("scores", "levels", [0.5, 2])):
        with pytest.raises(SpecError) as refused:
            spec_from_mapping({section: {name: value}})
        line = str(refused.value).splitlines()[1]
        assert line.endswith(meanings.meaning(f"{section}.{name}", ExperimentSpec))


def test_the_reference_page_is_current():
    made = meanings.page(ExperimentSpec)
    assert (ROOT / meanings.PAGE).read_text() == made, (
        "make it anew: python -m smash.workbench.specs.meanings"
    )


def test_lines_of_a_class_without_source_are_none():
    assert meanings.lines_of(type("Made", (), {})) == {}
