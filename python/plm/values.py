"""What a model is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict

__all__ = ["Answer", "Options", "Piece", "Score", "Session", "TokenScore", "ToolCall"]

FinishReason = Literal["end", "stop_text", "max_tokens", "context_full", "stopped"]


class Options(TypedDict, total=False):
    """How an answer is written: keyword arguments of Model.generate and Model.chat.

    Samplers have llama.cpp's names, meaning and defaults.
    """

    max_tokens: int | None
    """Most tokens of the answer; None (the default): as many as the context holds."""
    stop: str | Sequence[str] | None
    """The text ends before the first of these."""
    temperature: float
    """0: always the most likely token. Default 0.8."""
    top_k: int
    """Only the k most likely. Default 40; 0: off."""
    top_p: float
    """The fewest that together are this likely. Default 0.95; 1: off."""
    min_p: float
    """Those at least so likely beside the best. Default 0.05; 0: off."""
    typical_p: float
    """Default 1: off."""
    repeat_penalty: float
    """Default 1: off."""
    repeat_last_n: int
    """Tokens the penalties look back on. Default 64; -1: all."""
    presence_penalty: float
    frequency_penalty: float
    seed: int | None
    """The same seed gives the same answer again. None (the default): another each time."""
    logit_bias: Mapping[int, float] | None
    """Added to a token's logit; -math.inf bans it."""
    grammar: str | None
    """GBNF that the answer keeps to. At most one of grammar, json_schema and regex."""
    json_schema: str | Mapping[str, Any] | bool | None
    """A JSON schema that the answer keeps to; {} for any JSON."""
    regex: str | None
    """A regular expression that the whole answer matches."""
    logprobs: int | None
    """Tell log-probabilities, and this many alternatives to each token. None (the default): none."""
    ignore_eos: bool
    """Write on where the model would end."""
    special: bool
    """Write the text of control tokens."""
    parse_special: bool
    """Read "<|im_end|>" in a prompt as that token (the default); False for text from strangers."""


class TokenScore(NamedTuple):
    """A token, and how likely it was before any sampler changed that."""

    id: int
    logprob: float | None
    """Natural. None where it was not asked for, and for the first token of a text."""
    top: list[tuple[int, float]]
    """The most likely tokens there, descending."""


class ToolCall(NamedTuple):
    """A call that the model makes."""

    name: str
    arguments: str
    """JSON."""


class Piece(NamedTuple):
    """A part of an answer: whole characters; empty while one is not complete."""

    text: str
    tokens: list[TokenScore]
    tool_calls: list[ToolCall]


class Answer(NamedTuple):
    """What a model wrote."""

    text: str
    tokens: list[TokenScore]
    """All choices, also of tokens that show no text."""
    tool_calls: list[ToolCall]
    finish_reason: FinishReason
    stop_text: str
    """The text of `stop` that ended it, or ""."""
    n_prompt: int
    n_reused: int
    """Tokens of the prompt that did not have to be run."""
    n_drafted: int
    n_accepted: int
    """Guesses at tokens of the answer, and those that came true."""
    seed: int
    prompt_seconds: float
    answer_seconds: float


class Score(NamedTuple):
    """How likely each token of a text is, given those before it."""

    tokens: list[int]
    logprobs: list[float | None]
    """Natural; None for the first."""
    top: list[list[tuple[int, float]]]


class Session(NamedTuple):
    """What a file of a session holds: the text whose rows it keeps, and its size."""

    tokens: list[int]
    n_bytes: int
