"""What callers give, before the module below sees it: a wrong value is one line that names it."""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import InvalidArgumentError

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
UINT64_MAX = 2**64 - 1


def _wrong_type(name: str, value: object, expected: str) -> TypeError:
    return TypeError(f"{name}: found {type(value).__name__}, expected {expected}")


def integer(name: str, value: Any, least: int, most: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise _wrong_type(name, value, "int") from None
    if least <= number <= most:
        return number
    wanted = f"{least} or more" if number < least else f"at most {most}"
    raise InvalidArgumentError(f"{name}: found {number}, expected {wanted}")


def number(name: str, value: Any) -> float:
    if isinstance(value, (str, bytes, bytearray)):  # which float() would read
        raise _wrong_type(name, value, "float")
    try:
        return float(value)
    except TypeError:
        raise _wrong_type(name, value, "float") from None
    except OverflowError:
        raise InvalidArgumentError(f"{name}: found {value}, expected what a float can hold") from None


def flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _wrong_type(name, value, "bool")


def text(name: str, value: Any) -> bytes:
    """As UTF-8."""
    if not isinstance(value, str):
        raise _wrong_type(name, value, "str")
    try:
        return value.encode()
    except UnicodeEncodeError as problem:
        raise InvalidArgumentError(
            f"{name}: found half of a surrogate pair at {problem.start}, expected text that UTF-8 can hold"
        ) from None


def file_name(name: str, value: Any) -> bytes:
    try:
        encoded = os.fsencode(value)
    except TypeError:
        raise _wrong_type(name, value, "str or os.PathLike") from None
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"{name}: found {value!r}, expected a name that a file can have") from None
    if encoded:
        return encoded
    raise InvalidArgumentError(f"{name}: found an empty name")


def token_ids(name: str, value: Any) -> list[int]:
    if isinstance(value, (str, bytes, bytearray, memoryview, Mapping)) or not isinstance(value, Iterable):
        raise _wrong_type(name, value, "token ids")
    return [integer(f"{name}[{i}]", token, -1, INT32_MAX) for i, token in enumerate(value)]


def prompt(name: str, value: Any) -> bytes | list[int]:
    if isinstance(value, str):
        return text(name, value)
    if isinstance(value, (bytes, bytearray, memoryview, Mapping)) or not isinstance(value, Iterable):
        raise _wrong_type(name, value, "str or token ids")
    return token_ids(name, value)


def texts(name: str, value: Any) -> list[str]:
    """A text, or several."""
    if isinstance(value, str):
        value = [value]
    elif isinstance(value, (bytes, bytearray, memoryview)) or not isinstance(value, Iterable):
        raise _wrong_type(name, value, "str or a list of them")
    return [text(f"{name}[{i}]", one).decode() for i, one in enumerate(value)]


def entries(name: str, value: Any, expected: str) -> list[Any]:
    if isinstance(value, (str, bytes, bytearray, memoryview, Mapping, os.PathLike)) or not isinstance(value, Iterable):
        raise _wrong_type(name, value, expected)
    return list(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"found {type(value).__name__}, expected what JSON knows")


def as_json(name: str, value: Any) -> bytes:
    try:
        written = json.dumps(value, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as problem:  # of the module json, which knows no names
        kind = TypeError if isinstance(problem, TypeError) else InvalidArgumentError
        raise kind(f"{name}: {problem}") from None
    return text(name, written)
