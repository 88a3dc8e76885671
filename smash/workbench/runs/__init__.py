"""Runs of a spec: train, sample, score, log."""
