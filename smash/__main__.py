"""The command `smash`, also as `python -m smash`."""

import os
import sys

# Threads that spin while they wait stall each other on a busy machine (12 x slower was seen);
# read by OpenMP when PyTorch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

WORKBENCH = "mlflow optuna yaml jinja2 typst filelock psutil requests matplotlib seaborn"


def main() -> None:
    """Runs a command; where its packages are missing, says how to install them."""
    from smash.workbench.cli.app import app

    try:
        app(prog_name="smash")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in WORKBENCH.split():
            raise
        sys.exit(
            f"error: this command needs {missing}, which the core does without; install it with "
            "pip install 'smash-workbench[workbench]'"
        )


if __name__ == "__main__":
    main()
