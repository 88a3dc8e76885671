"""Next days of a catalogue.

Events a day within the band that 95 % of a day's simulated catalogues have, here Poisson's, and
how often what happened lies below each quantile of them, test by test of CSEP: of the true law as
often as the diagonal says, within the grey band.
"""

import tempfile
from pathlib import Path

import hvsampledata

from smash.catalogue import load_dataset
from smash.workbench.cli.data import check
from smash.workbench.contests.catalogue_contest import fit, own_contest
from smash.workbench.contests.next_day import Entrant, forecast_days
from smash.workbench.contests.next_day_scores import next_day_figure_of
from smash.workbench.specs.experiment_spec import load_spec

with tempfile.TemporaryDirectory() as folder:
    table, out = Path(folder, "quakes.csv"), Path(folder, "quakes")
    hvsampledata.earthquakes("pandas").to_csv(table)
    columns = {"x": "lon", "y": "lat", "magnitude": "mag"}
    dates = {"targets_from": "2024-04-08", "split": "2024-06-15,2024-07-08"}
    check(table, out, **columns, **dates, threshold=4.6)
    contest = own_contest(load_dataset(load_spec(out / "spec.yaml").data))

entrant = Entrant.of(fit("poisson", contest), contest)
days = [day.scores() for day in forecast_days(entrant, contest, contest.n_days, 1000, cell=2.0)]

figure = next_day_figure_of(days)
