"""What tests of reports share: reports of real tiny runs, and stores of made-up ones."""

import pytest
from tiny_runs import Outcome

from smash.workbench.report.production import Made, make_report
from smash.workbench.tracking.store import connect


@pytest.fixture(scope="session")
def compared(workshop) -> Outcome:
    """A run of the tiny spec with two baselines beside it."""
    return workshop.run("tiny.yaml", "--set", "baselines=[climatology,oracle]", "--seed", "8")


@pytest.fixture(scope="session")
def made(workshop, compared, tmp_path_factory) -> Made:
    """The report of `compared`, kept with it."""
    folder = tmp_path_factory.mktemp("report")
    uri = f"sqlite:///{workshop.folder / 'mlflow.db'}"
    return make_report(run_ids=[compared.run_id], out=folder, uri=uri)


@pytest.fixture(scope="session")
def uri(tmp_path_factory):
    """A database whose tables have been made (it takes seconds), shared by the tests."""
    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where MLflow puts the artifacts of this database from then on
        connect("prepared", uri)
    return uri
