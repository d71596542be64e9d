"""Generate the reference page of all settings: `python -m m2trec_merlin.config.reference`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from m2trec_merlin.config.mistakes import alternative, nested_sections
from m2trec_merlin.config.settings import Config

_INTRODUCTION = """# Settings

A run is described by one YAML or TOML file; `configs/` holds those that ship. `extends: other.yaml` merges
a file over another one (a section of another `kind`, or `data` of another `source`, replaces the one there);
`m2trec ... --set training.epochs=3` replaces a setting. A file is validated as a whole: all mistakes are
reported at once, before anything is computed.

This page is made from the code (`python -m m2trec_merlin.config.reference`).
"""

_WORDS: dict[Any, str] = {type(None): "empty", Path: "path"}


def reference() -> str:
    """Return the Markdown page with every section, setting, default and meaning."""
    parts = [_INTRODUCTION]
    for title, model in _sections(Config, ""):
        parts.append(f"## {title or 'Top level'}\n\n{_summary(model)}\n")
        rows = [_row(name, field) for name, field in model.model_fields.items() if not nested_sections(field)]
        if rows:
            parts.append(
                "\n".join(["| setting | accepted | default | meaning |", "|---|---|---|---|", *rows, ""])
            )
    return "\n".join(parts)


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield a section and all sections below it, depth first, with their dotted paths."""
    yield path, model
    for name, field in model.model_fields.items():
        for nested in nested_sections(field):
            here = f"{path}.{name}".lstrip(".")
            choice = alternative(nested)
            yield from _sections(nested, here + (f" ({choice[0]}: {choice[1]})" if choice else ""))


def _row(name: str, field: FieldInfo) -> str:
    default = "required" if field.default is PydanticUndefined else f"`{field.default}`"
    cells = (f"`{name}`", _accepted(field), default, field.description or "")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _accepted(field: FieldInfo) -> str:
    return ", ".join([_type(field.annotation), *_limits(field.metadata)])


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        # Pydantic keeps the limits of an alias, such as `Count`, in a nested field.
        limits = [limit for part in arguments[1:] for limit in getattr(part, "metadata", ())]
        return ", ".join([_type(arguments[0]), *_limits(limits)])
    if not arguments:
        return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))
    if origin is Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin is list:
        return f"list of {_type(arguments[-1])}"
    return " or ".join(_type(argument) for argument in arguments)


def _limits(metadata: Iterable[Any]) -> Iterator[str]:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "min_length": "length ≥", "max_length": "length ≤"}
    for limit in metadata:
        for key, sign in signs.items():
            if (bound := getattr(limit, key, None)) is not None:
                yield f"{sign} {bound:,}" if isinstance(bound, int) else f"{sign} {bound:g}"


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n")[0]


if __name__ == "__main__":
    print(reference(), end="")
