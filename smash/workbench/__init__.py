"""All that knows MLflow, Optuna and YAML: specs, runs, tracking, search, reports, commands."""
