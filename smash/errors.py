"""The library's exceptions: each message says what is wrong, where, and what to do."""

import os


class SmashError(Exception):
    """Base of every error the workbench raises on purpose."""


class DataError(SmashError):
    """A file, a sequence or an event is not what it should be."""


class SpecError(SmashError):
    """A spec or an override names an unknown key or an impossible value."""


class CheckpointError(SmashError):
    """A checkpoint is missing, damaged or belongs to another model."""


class TrainingError(SmashError):
    """Training cannot go on: the loss or its gradient is not a number."""


class BaselineError(SmashError):
    """A forecaster of others cannot be had, fitted or asked."""


class TrackingError(SmashError):
    """The tracking server cannot be reached or a run cannot be found there."""


class StudyError(SmashError):
    """A study's storage cannot be used, holds another study, or trial after trial fails."""


class ForecastError(SmashError):
    """A forecast cannot be made: no history, an impossible horizon, or an explosive model."""


class OutputError(SmashError):
    """What is named for output would destroy something, or cannot be written."""


def in_a_line(error: BaseException) -> str:
    """Returns what a command says of an error; what the system refused with the file's name."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {reason(error)}"
    return reason(error) if isinstance(error, OSError) else str(error)


def reason(error: OSError) -> str:
    """Returns why the system refused, in its own words and none of a library's."""
    return os.strerror(error.errno) if error.errno else str(error)
