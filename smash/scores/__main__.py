"""`python -m smash.scores audit`, which `smash data estimators` has replaced; for one release."""

import sys

from smash.workbench.cli.data import app

sys.stderr.write("note: `python -m smash.scores audit` is now `smash data estimators`\n")
app(["estimators" if word == "audit" else word for word in sys.argv[1:]], prog_name="smash data")
