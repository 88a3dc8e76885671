"""`smash`: all commands together."""

import typer

from smash.workbench.cli import (
    contest,
    data,
    demo,
    forecast,
    keep,
    report,
    resend,
    results,
    run,
    tune,
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Forecasts of marked events in time and space: train, tune, forecast, report.",
)
app.command("run")(run.main)
app.command("tune")(tune.main)
app.command("forecast")(forecast.main)
app.command("baselines")(run.baselines)
app.command("report")(report.main)
app.command("keep")(keep.main)
app.command("demo")(demo.main)
app.command("resend")(resend.main)
app.add_typer(contest.app, name="contest")
app.add_typer(data.app, name="data")
app.add_typer(results.app, name="results")
