"""`python -m smash.data`, which `smash data` has replaced; kept for one release."""

import sys

from smash.workbench.cli.data import app

sys.stderr.write("note: `python -m smash.data` is now `smash data`\n")
app(prog_name="smash data")
