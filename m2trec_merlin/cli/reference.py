"""Generate the reference page of all verbs: `python -m m2trec_merlin.cli.reference`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import typer
from typer.models import ArgumentInfo, OptionInfo

from m2trec_merlin.cli.app import app

_INTRODUCTION = """# Commands

`m2trec VERB --help` says the same. What each exit code means: [day after day](daily.md#exit-codes).

This page is made from the code (`python -m m2trec_merlin.cli.reference`).
"""


def reference() -> str:
    """Return the Markdown page with every verb, its arguments and its options."""
    return "\n".join([_INTRODUCTION, *_verbs(app, "m2trec")])


def _verbs(verbs: typer.Typer, path: str) -> Iterator[str]:
    """Yield the sections of a program's verbs in the order of its help: its own verbs, then its groups'."""
    for registered in verbs.registered_commands:
        if registered.callback is not None:
            verb = registered.name or registered.callback.__name__.replace("_", "-")
            yield _verb(registered.callback, f"{path} {verb}")
    for group in verbs.registered_groups:
        if group.typer_instance is not None:
            inner = group.typer_instance
            # The verbs of a group without a name belong to the program itself.
            name = inner.info.name
            yield from _verbs(inner, f"{path} {name}" if isinstance(name, str) else path)


def _verb(callback: Callable[..., Any], path: str) -> str:
    arguments, rows = [], []
    for parameter in inspect.signature(callback, eval_str=True).parameters.values():
        if parameter.annotation is typer.Context:
            continue
        accepted, info = get_args(parameter.annotation)
        required = parameter.default is inspect.Parameter.empty
        if isinstance(info, ArgumentInfo):
            spelled = parameter.name.upper() + (" ..." if _is_list(accepted) else "")
            arguments.append(spelled if required else f"[{spelled}]")
        elif isinstance(info, OptionInfo):
            spelled = _option(parameter.name, accepted, info)
        default = "required" if required else _default(parameter.default)
        cells = (f"`{spelled}`", info.help or "", default)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    usage = " ".join([path, *arguments])
    table = "\n".join(["| argument or option | meaning | default |", "|---|---|---|", *rows])
    return f"## {path}\n\n```\n{usage} [OPTIONS]\n```\n\n{inspect.getdoc(callback)}\n\n{table}\n"


def _option(name: str, accepted: Any, info: OptionInfo) -> str:
    # In an annotation, typer holds the first spelling as the default.
    written = [word for word in (info.default, *(info.param_decls or ())) if isinstance(word, str)]
    spelled = ", ".join(reversed(written)) if written else f"--{name.replace('_', '-')}"
    if accepted is bool:
        return spelled
    choices = [str(choice) for choice in _choices(accepted)]
    value = info.metavar or ("|".join(choices) if choices else name.upper().replace("_", "-"))
    return f"{spelled} {value}" + (" ..." if _is_list(accepted) else "")


def _default(value: object) -> str:
    if value is None or value is False:
        return ""
    return "on" if value is True else f"`{value.value if isinstance(value, Enum) else value}`"


def _is_list(accepted: Any) -> bool:
    return any(get_origin(part) is list for part in (accepted, *get_args(accepted)))


def _choices(accepted: Any) -> tuple[Any, ...]:
    parts = [part for part in (accepted, *get_args(accepted)) if part is not NoneType]
    return next((get_args(part) for part in parts if get_origin(part) is Literal), ())


if __name__ == "__main__":
    print(reference(), end="")
