"""Whether recorded runs are of the spec as it is shipped."""

from smash.shipped_files import shipped_root
from smash.workbench.report.run_groups import Group, different_keys
from smash.workbench.specs.experiment_spec import flatten, load_spec


def departures(group: Group, spec: str) -> list[str]:
    """Returns the keys in which a group's runs differ from a spec, as notes; none where they agree.

    `spec` is the file's path from the root of the repository.
    """
    path = shipped_root() / spec
    if not path.exists():
        return []
    shipped, params = flatten(load_spec(path)), group.first.params
    # Keys that only one of them knows came or went with a version of the schema.
    both = shipped.keys() & params.keys()
    different = [
        f"{key}={params[key]} (now {shipped[key]})"
        for key in different_keys(shipped, params)
        if key in both
    ]
    return [f"The runs are not of {spec} as it is now: {', '.join(different)}."] * bool(different)
