"""Studies: searches for better hyperparameters, from one laptop to a cluster (`tune.py`)."""
