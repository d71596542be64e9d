"""Every error that m2trec-merlin raises on purpose.

M2TRecError                     one message for the user, no traceback on the command line
├── ConfigError                 the configuration file, all mistakes at once
│   └── CommandLineError        what was typed behind the command, not what a file says
├── DataError                   the raw tables, all problems at once
│   └── DamagedTextError        a text file holds bytes of another encoding
├── ArtifactError               something an earlier step should have written is missing or damaged
│   └── NothingToDoError        nothing has changed since: the result would be the same
├── MissingDependencyError      an optional package or system library is not installed
├── TrackingError               a service that records runs cannot be reached or refuses something
└── ServerError                 Triton did not start, did not answer, or refused a request
    ├── RefusedError            a request is wrong: it would be refused again
    └── NoAnswerError           no server is there, or it is too slow: it may be worth another try
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from m2trec_merlin.shares import counted

#: Number of things that one message names; the rest are counted.
_NAMED = 5

T = TypeVar("T")


class M2TRecError(Exception):
    """Base class: the message says what is wrong, where, and what to do.

    Args:
        message: description of one problem, or the heading above several.
        problems: several problems, a line each.

    Attributes:
        problems: all problems, a line each; the whole message if there is one.
    """

    def __init__(self, message: str = "", problems: Sequence[str] = ()) -> None:
        super().__init__("\n".join([message, *(f"  - {problem}" for problem in problems)]))
        self.problems = list(problems) or [" ".join(message.split())]


class ConfigError(M2TRecError):
    """The configuration is invalid; the message lists every mistake."""


class CommandLineError(ConfigError):
    """The command line is wrong; the message names the option or argument."""


class DataError(M2TRecError):
    """The raw tables are invalid; `problems` lists every problem found."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source = source
        super().__init__(f"{source}: {counted(len(problems), 'problem')} found", problems)

    def __reduce__(self) -> Any:
        # Dask workers pickle their errors; by default only the message would be passed to __init__.
        return type(self), (self.source, self.problems)


class DamagedTextError(DataError):
    """A text file holds bytes of another encoding, which no choice of columns makes right."""


class ArtifactError(M2TRecError):
    """A file or folder that an earlier step writes is missing, incomplete or altered."""


class NothingToDoError(ArtifactError):
    """The wanted state is already there, or there is no new input to work with."""


class MissingDependencyError(M2TRecError):
    """An optional package or system library is needed; the message says how to install it."""


class TrackingError(M2TRecError):
    """A service that records runs cannot be reached, or refuses what it is sent."""


class ServerError(M2TRecError):
    """Triton could not be started or reached, or it refused a request."""


class RefusedError(ServerError):
    """A request is wrong; the message names the field."""


class NoAnswerError(ServerError):
    """The server cannot be reached, or did not answer in time."""


def message_of(error: Exception) -> str | None:
    """Return the message to show for an error of ours or of the system; None asks for a traceback."""
    if isinstance(error, OSError) and error.errno:
        return f"{file}: {reason_of(error)}" if (file := file_of(error)) else error.strerror or str(error)
    return str(error) if isinstance(error, M2TRecError) else None


def shorten(text: str, longest: int, end: str = "...") -> str:
    """Return a text cut to at most `longest` characters, `end` included."""
    return text if len(text) <= longest else text[: longest - len(end)] + end


def name_first(values: Sequence[T], show: Callable[[T], str] = str) -> str:
    """Return the first values, and how many more there are: "a, b, c, d, e and 1,204 more"."""
    more = len(values) - _NAMED
    return ", ".join(map(show, values[:_NAMED])) + (f" and {more:,} more" if more > 0 else "")


def reason_of(error: OSError) -> str:
    """Return what the operating system says is wrong, without numbers and names of files."""
    # Libraries wrap it in a text of their own: "[Errno 28] Error writing bytes to file. Detail: ...".
    return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__


def file_of(error: OSError) -> str | None:
    """Return the name of the file that an error of the system is about, or None.

    TensorBoard names files by bytes, and an open file is named by its number.
    """
    return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
