"""Run the benchmark or experiment that the command line names."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from benchmarks.frame.parse import Parser
from benchmarks.frame.publish import Stamp
from m2trec_merlin.errors import ConfigError, message_of


@dataclass(frozen=True)
class Member:
    """One benchmark or experiment, an entry in the table of its folder.

    Attributes:
        name: name on the command line.
        question: the question that it answers, in one line.
        module: name of its module below the folder; a `Program`.
    """

    name: str
    question: str
    module: str


class Program(Protocol):
    """The interface of a member's module; `--help` shows its docstring as the description."""

    def options(self, parser: Parser) -> None:
        """Declare the options; the parser has methods for those that several members share."""

    def run(self, options: Namespace) -> int | None:
        """Run it and return the exit status; `options.stamp` is the stamp of its results."""


def main(folder: str, members: Sequence[Member], arguments: Sequence[str] | None = None) -> int:
    """Run the member that the first word names, or list all members; return the exit status.

    Raises:
        ConfigError: there is no such member.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(f"usage: python -m {folder} NAME ...\n")
        print("\n".join(f"  {member.name:15}{member.question}" for member in members))
        print("\nEach has a --help of its own.")
        return 0
    member = next((member for member in members if member.name == words[0]), None)
    if member is None:
        names = ", ".join(member.name for member in members)
        raise ConfigError(f"python -m {folder}: no '{words[0]}'; there are: {names}")
    module = import_module(f"{folder}.{member.module}")
    parser = Parser(folder, member.name, module.__doc__ or member.question)
    does = cast(Program, module)
    does.options(parser)
    options = parser.parse_args(words[1:])
    options.stamp = Stamp.now(parser.spell(options))
    return does.run(options) or 0


def program(folder: str, members: Sequence[Member], arguments: Sequence[str] | None = None) -> int:
    """Call `main`, and print our own errors as a message without a traceback."""
    try:
        return main(folder, members, arguments)
    except Exception as error:
        if (message := message_of(error)) is None:
            raise
        print(f"Error: {message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Run the same command again to go on.", file=sys.stderr)
        return 130
