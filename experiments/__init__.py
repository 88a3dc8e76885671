"""Experiments: specs, their schema, the runner and its tracking."""
