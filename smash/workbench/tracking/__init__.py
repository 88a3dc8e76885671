"""Runs in MLflow: written in the background, read back."""
