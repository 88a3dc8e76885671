"""How long a test waits for what must come: a guard against hanging that decides nothing."""

HANGING = 1800.0
"""Seconds; a machine with ten busy processes a core is slow, and not wrong."""
