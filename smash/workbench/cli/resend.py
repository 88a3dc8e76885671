"""`smash resend FOLDER`: what a run could not send to its tracking server, sent again."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def main(
    folder: Annotated[Path, typer.Argument(help="What a run kept, such as runs/unsent/RUN_ID.")],
) -> None:
    """Send what a run could not send to its tracking server.

    Example: smash resend runs/unsent/0f3a
    """
    from smash.errors import SmashError, in_a_line
    from smash.workbench.report.run_note import describe
    from smash.workbench.tracking.delivery import resend

    try:
        for run_id in resend(folder):
            describe(run_id)
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
