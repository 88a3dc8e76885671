#!/usr/bin/env python
"""`smash tune`, from a clone."""

from smash.workbench.runs.signals import leave_at_once

if __name__ == "__main__":
    leave_at_once()  # first, as Ctrl-C during the imports below would show a traceback

from smash.workbench.cli.tune import app

if __name__ == "__main__":
    app()
