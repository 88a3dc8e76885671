"""Searches for better hyperparameters, from one laptop to a cluster."""
