"""SMASH: forecasts of marked spatio-temporal point processes by score matching."""
