"""The commands that messages advise, with the options of this call, without which they do other work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from m2trec_merlin.runs import VERBS
from m2trec_merlin.runs.definitions import STEPS

#: As errors and progress lines write it; nothing below the command line knows its options.
_COMMAND = re.compile(rf"`m2trec ({'|'.join(VERBS)}|serve|recommend)\b([^`]*)`")
#: Verbs that are the same for all variants.
_OF_NO_MODEL = {*(verb for verb in VERBS if not STEPS[verb].of_the_model), "recommend"}
_options: list[str] = []
_of_the_model: list[str] = []


def remember(config: Path | None, settings: Sequence[str], variant: str | None) -> None:
    """Note the options of this call.

    Args:
        config: the file; None if it is the default.
        settings: KEY=VALUE.
        variant: of the model; variants share data.
    """
    _options[:] = [] if config is None else ["-c", str(config)]
    _options.extend(word for setting in settings for word in ("-s", setting))
    _of_the_model[:] = [] if variant is None else ["--variant", variant]


def complete(message: str) -> str:
    """Return a message whose commands have the options of this call."""

    def command(match: re.Match[str]) -> str:
        verb, rest = match.groups()
        words = [*_options, *([] if verb in _OF_NO_MODEL else _of_the_model)]
        return f"`{shlex.join(['m2trec', verb, *words])}{rest}`"

    return _COMMAND.sub(command, message)
