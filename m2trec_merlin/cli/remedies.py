"""The commands that messages advise, with the options of this call, without which they do other work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from m2trec_merlin.artifacts import MANIFEST
from m2trec_merlin.runs import VERBS, RunFolder
from m2trec_merlin.runs.definitions import STEPS

#: As errors and progress lines write it; nothing below the command line knows its options.
_COMMAND = re.compile(rf"`m2trec ({'|'.join(VERBS)}|serve|recommend)\b([^`]*)`")
#: Verbs that are the same for all variants.
_OF_NO_MODEL = {*(verb for verb in VERBS if not STEPS[verb].of_the_model), "recommend"}
_FOLDERS = [STEPS[verb].folder(RunFolder(Path(), Path())).name for verb in VERBS]
#: How messages begin that are about a step's result: the folder of its run, and that of the step.
_OF_A_RUN = re.compile(rf"(?:the model in )?(.+?)/(?:{'|'.join(_FOLDERS)})\b")
_options: list[str] = []
_of_the_model: list[str] = []
_own: list[Path] = []


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
    _own.clear()


def remember_folder(directory: Path) -> None:
    """Note the folder of this call's run: results of other runs are made with other options."""
    _own[:] = [directory]


def complete(message: str) -> str:
    """Return a message whose commands have the options of this call, if they are for its run."""

    def command(match: re.Match[str]) -> str:
        verb, rest = match.groups()
        if (other := _other_run(message)) is not None:
            return f"{match[0]} with the configuration of {other}"
        words = [*_options, *([] if verb in _OF_NO_MODEL else _of_the_model)]
        return f"`{shlex.join(['m2trec', verb, *words])}{rest}`"

    return _COMMAND.sub(command, message)


def _other_run(message: str) -> str | None:
    """Return the folder of the run that a message is about, if that is not this call's."""
    if (found := _OF_A_RUN.match(message)) is None:
        return None
    folder = Path(found[1])
    try:
        if not any((STEPS[verb].folder(RunFolder.at(folder)) / MANIFEST).is_file() for verb in VERBS):
            return None
    except OSError:
        return None  # text before a slash need be no path
    is_own = any(folder.resolve().is_relative_to(own.resolve()) for own in _own)
    return None if is_own else found[1]
