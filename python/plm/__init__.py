"""PLM language models on the CPU.

>>> import plm
>>> model = plm.Model()  # the package's own small model; or plm.Model("model.gguf")
>>> model.generate("Once upon a time", max_tokens=4, temperature=0).text
', he was very'
"""

from . import _plm
from .errors import (
    BadDataError,
    CancelledError,
    Error,
    InputOutputError,
    InvalidArgumentError,
    NotFoundError,
    OutOfMemoryError,
    UnsupportedError,
)
from .model import Model
from .stream import Stream
from .values import Answer, Options, Piece, Score, Session, TokenScore, ToolCall

__version__ = _plm.version()

__all__ = [
    "Answer",
    "BadDataError",
    "CancelledError",
    "Error",
    "InputOutputError",
    "InvalidArgumentError",
    "Model",
    "NotFoundError",
    "Options",
    "OutOfMemoryError",
    "Piece",
    "Score",
    "Session",
    "Stream",
    "TokenScore",
    "ToolCall",
    "UnsupportedError",
]
