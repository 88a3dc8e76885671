"""`smash demo`: the main job on simulated data, beside the law that is known."""

from typing import Annotated, Literal

import typer


def main(
    profile: Annotated[
        Literal["full", "quick"], typer.Option(help="`quick`: to see that everything works.")
    ] = "full",
) -> None:
    """Train on simulated data and compare the forecasts with the exact law.

    Example: smash demo --profile quick
    """
    from smash.shipped_files import shipped_root
    from smash.workbench.cli import run

    run.main(spec=shipped_root() / "experiments" / "simulated.yaml", profile=profile)
    typer.echo(
        "\nNext:\n"
        "  mlflow ui                                   # every run and figure, on port 5000\n"
        "  smash run football --profile quick --set epochs=3\n"
        "  smash run --help"
    )
