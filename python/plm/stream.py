"""Answers while they are written."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, cast

from . import _plm
from .errors import Error, UnsupportedError
from .values import Answer, FinishReason, Piece, TokenScore, ToolCall

__all__ = ["Stream"]

# So often Python looks for Ctrl-C while nothing comes.
_GLANCE_SECONDS = 0.1


def _tokens(raw: list[tuple[int, float | None, list[tuple[int, float]]]]) -> list[TokenScore]:
    return [TokenScore(*token) for token in raw]


class Stream(Iterator[Piece]):
    """An iterator over the pieces of an answer.

    The work goes on in the background, read or not, and stops when the stream is closed or nobody holds it any more: to
    `break` out of `for piece in model.generate(..., stream=True)` stops it. A stream may be used by several threads.

    >>> import plm
    >>> model = plm.Model()
    >>> stream = model.generate("Once upon a time", max_tokens=5, temperature=0, stream=True)
    >>> text = "".join(piece.text for piece in stream)
    >>> stream.answer.text == text
    True
    >>> stream.answer.finish_reason
    'max_tokens'
    """

    def __init__(self, raw: _plm.Stream) -> None:
        self._raw = raw

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Piece:
        try:
            while True:
                raw = self._raw.next(_GLANCE_SECONDS)
                if raw is not None:
                    text, tokens, calls = raw
                    return Piece(text, _tokens(tokens), [ToolCall(*call) for call in calls])
                if self._raw.is_finished:
                    self._raw.answer()  # raises where it failed
                    raise StopIteration
        except (StopIteration, Error):
            raise
        except BaseException:  # Ctrl-C, or what another handler of a signal raised
            self.close()
            raise

    @property
    def answer(self) -> Answer:
        """The whole answer, once the stream was read to its end; before, InvalidArgumentError."""
        text, tokens, calls, reason, stop_text, *numbers = self._raw.answer()
        return Answer(
            text,
            _tokens(tokens),
            [ToolCall(*call) for call in calls],
            cast(FinishReason, reason),
            stop_text,
            *cast(Any, numbers),
        )

    def close(self) -> None:
        """Stops the work. What is read after that is its end: `answer` holds what was read, and says "stopped"."""
        try:
            self._raw.stop()
        except UnsupportedError:
            pass  # in a child of fork, where nothing is under way

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
