"""What a database refuses is raised, to be told in a line; MLflow prints no traceback beside."""

import sqlite3

import pytest
from mlflow.exceptions import MlflowException

from smash.workbench.tracking.server import open_client


def test_a_database_that_refuses_prints_no_traceback(tmp_path, capfd):
    path = tmp_path / "mlflow.db"
    client = open_client(f"sqlite:///{path}")
    run = client.create_run("0")
    database = sqlite3.connect(path)
    database.execute("DROP TABLE params")
    database.commit()
    database.close()
    with pytest.raises(MlflowException):
        client.log_param(run.info.run_id, "seed", 1)
    assert "Traceback" not in capfd.readouterr().err
