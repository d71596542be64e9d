"""Every error that m2trec-merlin raises on purpose.

M2TRecError                     one message for the user, no traceback on the command line
├── ConfigError                 the configuration file, all mistakes at once
├── DataError                   the raw tables, all problems at once
├── ArtifactError               something an earlier step should have written is missing or damaged
│   └── NothingToDoError        nothing came since: done again, it is the same
├── MissingDependencyError      an optional package or system library is not installed
├── TrackingError               a service that records runs does not take something
└── ServerError                 Triton did not start, did not answer, or refused a request
    ├── RefusedError            a request is wrong: sent again, it is refused again
    └── NoAnswerError           no server is there, or it is too slow: sent again, it may be answered
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

#: Things that one message names; the rest are counted.
_NAMED = 5

T = TypeVar("T")


class M2TRecError(Exception):
    """Base class: the message says what is wrong, where, and what to do.

    Args:
        message: of one problem, or what stands above several.
        problems: several, a line each.

    Attributes:
        problems: all of them, a line each; the whole message if it is one.
    """

    def __init__(self, message: str = "", problems: Sequence[str] = ()) -> None:
        super().__init__("\n".join([message, *(f"  - {problem}" for problem in problems)]))
        self.problems = list(problems) or [" ".join(message.split())]


class ConfigError(M2TRecError):
    """The configuration is invalid; the message lists every mistake."""


class DataError(M2TRecError):
    """The raw tables are invalid; `problems` lists every problem found."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source = source
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__(f"{source}: {count} found", problems)

    def __reduce__(self) -> Any:
        # A Dask worker sends its errors pickled; by default only the message would arrive at __init__.
        return type(self), (self.source, self.problems)


class ArtifactError(M2TRecError):
    """A file or folder that an earlier step writes is missing, incomplete or altered."""


class NothingToDoError(ArtifactError):
    """What is asked for is so already, or nothing came that it could be done with."""


class MissingDependencyError(M2TRecError):
    """An optional package or system library is needed; the message says how to install it."""


class TrackingError(M2TRecError):
    """A service that records runs cannot be reached, or does not take what it is told."""


class ServerError(M2TRecError):
    """Triton could not be started or reached, or it refused a request."""


class RefusedError(ServerError):
    """The server takes a request for wrong; the message names the field."""


class NoAnswerError(ServerError):
    """The server cannot be reached, or did not answer in time."""


def message_of(error: Exception) -> str | None:
    """Return what a program tells its user of an error: ours, or the disk's. None asks for a traceback."""
    if isinstance(error, OSError) and error.errno:
        return f"{error.filename}: {reason_of(error)}" if error.filename else error.strerror or str(error)
    return str(error) if isinstance(error, M2TRecError) else None


def shorten(text: str, longest: int, end: str = "...") -> str:
    """Return a text as a message shows it, cut at so many characters."""
    return text if len(text) <= longest else text[: longest - len(end)] + end


def name_first(values: Sequence[T], show: Callable[[T], str] = str) -> str:
    """Return the first values, and how many more there are: "a, b, c, d, e and 1,204 more"."""
    more = len(values) - _NAMED
    return ", ".join(map(show, values[:_NAMED])) + (f" and {more:,} more" if more > 0 else "")


def reason_of(error: OSError) -> str:
    """Return what the operating system says is wrong, without numbers and names of files."""
    # Libraries put a tale of their own around it: "[Errno 28] Error writing bytes to file. Detail: ...".
    return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
