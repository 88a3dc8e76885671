"""What tests of runs share: a tracking database whose tables exist."""

import pytest

from smash.workbench.tracking.tracker import connect


@pytest.fixture(scope="session")
def uri(tmp_path_factory):
    """A database whose tables have been made (it takes seconds), shared by the tests."""
    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where MLflow puts the artifacts of this database from then on
        connect("prepared", uri)
    return uri
