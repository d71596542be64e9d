"""Blocks of code in Markdown, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from m2trec_merlin.cli.app import app

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block.

    Attributes:
        section: the heading above it.
        language: what is written behind its fence; empty for output.
        text: of its lines.
    """

    section: str
    language: str
    text: str


def read_blocks(page: Path) -> list[Block]:
    """All blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    headings = [(match.start(), match[1]) for match in re.finditer(r"^#+ (.+)$", text, re.MULTILINE)]
    found = []
    for match in _FENCE.finditer(text):
        section = [title for place, title in headings if place < match.start()][-1]
        found.append(Block(section, match[1], match[2]))
    return found


def commands(text: str) -> Iterator[list[str]]:
    """The commands of m2trec in a block, each as its words behind `m2trec`.

    Comments are left out, and what a shell does with a command.
    """
    for line in text.splitlines():
        if line.startswith("m2trec "):
            words = shlex.split(line, comments=True)[1:]
            shell = [place for place, word in enumerate(words) if word in (">", ">>", "|", "||", "&&", "&")]
            yield words[: min(shell, default=None)]


def parse(words: list[str]) -> None:
    """Parse a command of m2trec as the command line does, without doing it."""
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context("m2trec", words)
