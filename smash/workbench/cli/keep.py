"""`smash keep RUN_ID NAME`: a run's model kept beside the code."""

import sys
from typing import Annotated

import typer


def main(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="A run that trained a model.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is to be called.")],
) -> None:
    """Keep a run's model, spec and scores in experiments/pretrained/NAME, as pretrained:NAME.

    Example: smash keep 0f3a quakes
    """
    from smash.errors import SmashError, in_a_line
    from smash.outputs import check_name
    from smash.workbench.runs.kept_models import PRETRAINED, keep

    try:
        typer.echo(keep(run_id, PRETRAINED / check_name(name, "NAME")))
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
