"""Forecasts: of all targets of a data set, of the next event for people, of whole futures."""
