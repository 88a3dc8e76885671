"""Processes whose law of the next event is known."""
