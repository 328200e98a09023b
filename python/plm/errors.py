"""The exceptions of plm. Each says in one line what was wrong, where, and what was expected."""

__all__ = [
    "Error",
    "InvalidArgumentError",
    "NotFoundError",
    "BadDataError",
    "UnsupportedError",
    "OutOfMemoryError",
    "InputOutputError",
    "CancelledError",
]


class Error(Exception):
    """Whatever plm refuses or cannot do."""


class InvalidArgumentError(Error, ValueError):
    """What was asked for cannot be: a setting out of range, a prompt longer than the context."""


class NotFoundError(Error, FileNotFoundError):
    """There is no such file."""


class BadDataError(Error, ValueError):
    """A file breaks its format, is damaged, or belongs to another model."""


class UnsupportedError(Error, NotImplementedError):
    """Well formed, but not something this build or this model can do."""


class OutOfMemoryError(Error, MemoryError):
    """The work does not fit into memory."""


class InputOutputError(Error, OSError):
    """The operating system refused or failed."""


class CancelledError(Error):
    """The work was stopped from elsewhere: Model.stop_all, or the model was closed."""
