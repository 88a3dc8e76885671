"""Figures of scores, forecasts, trainings and futures."""
