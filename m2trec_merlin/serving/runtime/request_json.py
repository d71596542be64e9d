"""Parsing of JSON from clients, with limits on nesting and on the length of numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from m2trec_merlin.errors import RefusedError
from m2trec_merlin.serving.runtime.bounds import DEEPEST, MOST_DIGITS
from m2trec_merlin.serving.runtime.notes import cut

_LONG_NUMBER = re.compile(rf"[0-9][0-9.eE+-]{{{MOST_DIGITS},}}")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)

Number = TypeVar("Number", int, float)


def parse_json(text: str, where: str) -> Any:
    """Return the value of a JSON text.

    A lone surrogate, as left by programs that cut texts by UTF-16 units, is read as U+FFFD, since it could
    not be written as UTF-8 later.

    Args:
        text: the JSON text.
        where: name of its place in the request, for error messages.

    Raises:
        RefusedError: the text is not valid JSON, is nested too deep, has too long a number, or an object has
            the same key twice. The message begins with `where`.
    """
    # Counting brackets is cheap, and enough for nearly all requests.
    if text.count("[") + text.count("{") > DEEPEST:
        _require_flat(text, where)
    try:
        if _LONG_NUMBER.search(text):
            value = json.loads(
                text, object_pairs_hook=object_of, parse_int=_short(int), parse_float=_short(float)
            )
        else:
            value = json.loads(text, object_pairs_hook=object_of)
        if "\\ud" in text.lower():
            whole = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
            value = json.loads(whole.decode(errors="replace"))
    except _TooLongError as error:
        raise RefusedError(f"{where}: a number of {error} digits; at most {MOST_DIGITS} are read") from None
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"{where}: not valid JSON ({error})") from None
    return value


def object_of(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a dictionary from the entries of a JSON object, for `json.loads`.

    Raises:
        ValueError: a key stands there twice, so that one of its values would be lost.
    """
    found: dict[str, Any] = {}
    for name, value in entries:
        if name in found:
            raise ValueError(f"'{cut(name)}' stands there twice")
        found[name] = value
    return found


class _TooLongError(Exception):
    """A number has too many digits; the message is their count."""


def _short(read: Callable[[str], Number]) -> Callable[[str], Number]:
    def read_short(digits: str) -> Number:
        if len(digits) > MOST_DIGITS:
            raise _TooLongError(f"{len(digits):,}")
        return read(digits)

    return read_short


def _require_flat(text: str, where: str) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > DEEPEST:
            raise RefusedError(f"{where}: lists and objects nested deeper than {DEEPEST}, which is not read")
