"""Complete the commands that messages advise with the options of this call, so that they fit the same run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from m2trec_merlin.artifacts import MANIFEST
from m2trec_merlin.runs import VERBS, RunFolder
from m2trec_merlin.runs.definitions import STEPS

#: A command in an error or a progress line, without options: only the command line knows them.
_COMMAND = re.compile(rf"`m2trec ({'|'.join(VERBS)}|serve|recommend)\b([^`]*)`")
#: Verbs whose work does not depend on the variant.
_OF_NO_MODEL = {*(verb for verb in VERBS if not STEPS[verb].of_the_model), "recommend"}
_FOLDERS = [STEPS[verb].folder(RunFolder(Path(), Path())).name for verb in VERBS]
#: The beginning of messages about a step's result: the folder of the run, then that of the step.
_OF_A_RUN = re.compile(rf"(?:the model in )?(.+?)/(?:{'|'.join(_FOLDERS)})\b")
_options: list[str] = []
_of_the_model: list[str] = []
_own: list[Path] = []


def remember(config: Path | None, settings: Sequence[str], variant: str | None) -> None:
    """Remember the options of this call.

    Args:
        config: the configuration file; None if it is the default.
        settings: settings given as KEY=VALUE.
        variant: the variant of the model; it is left out for verbs that all variants share.
    """
    _options[:] = [] if config is None else ["-c", str(config)]
    _options.extend(word for setting in settings for word in ("-s", setting))
    _of_the_model[:] = [] if variant is None else ["--variant", variant]
    _own.clear()


def remember_folder(directory: Path) -> None:
    """Remember the folder of this call's run; commands about other runs need other options."""
    _own[:] = [directory]


def complete(message: str) -> str:
    """Add the options of this call to the commands in a message, if the message is about this call's run."""

    def command(match: re.Match[str]) -> str:
        verb, rest = match.groups()
        if (other := _other_run(message)) is not None:
            return f"{match[0]} with the configuration of {other}"
        words = [*_options, *([] if verb in _OF_NO_MODEL else _of_the_model)]
        return f"`{shlex.join(['m2trec', verb, *words])}{rest}`"

    return _COMMAND.sub(command, message)


def _other_run(message: str) -> str | None:
    """Return the folder of the run that a message is about, if it is not this call's run."""
    if (found := _OF_A_RUN.match(message)) is None:
        return None
    folder = Path(found[1])
    try:
        if not any((STEPS[verb].folder(RunFolder.at(folder)) / MANIFEST).is_file() for verb in VERBS):
            return None
    except OSError:
        return None  # text before a slash is not always a path
    is_own = any(folder.resolve().is_relative_to(own.resolve()) for own in _own)
    return None if is_own else found[1]
