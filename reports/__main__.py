"""`python -m reports`, which `smash report` has replaced; kept for one release."""

import sys

from smash.workbench.cli.app import app

sys.stderr.write("note: `python -m reports` is now `smash report`\n")
app(["report", *sys.argv[1:]], prog_name="smash")
