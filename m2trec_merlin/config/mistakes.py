"""The mistakes of a configuration as a person reads them: where, what was found, what is accepted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo


def explain(path: Path, error: ValidationError, raw: dict[str, Any], model: type[BaseModel]) -> str:
    """Return all mistakes, one a line.

    Args:
        path: the file.
        error: of validating it.
        raw: what was validated.
        model: of the whole file.
    """
    count = error.error_count()
    lines = [f"{path}: {count} mistake{'s' if count != 1 else ''} in the configuration"]
    for mistake in error.errors(include_url=False):
        where = ".".join(_place(mistake["loc"], raw)) or "(whole file)"
        message = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "extra_forbidden":
            accepted = ", ".join(_fields_at(mistake["loc"][:-1], model))
            message = f"there is no such setting; accepted: {accepted}"
        shown = mistake.get("input")
        got = "" if isinstance(shown, dict | list) or mistake["type"] == "missing" else f" (got {shown!r})"
        lines.append(f"  - {where}: {message}{got}")
    return "\n".join(lines)


def nested_sections(field: FieldInfo) -> list[type[BaseModel]]:
    """Return the sections that a field holds: itself, its items, or its alternatives."""
    found, open_types = [], [field.annotation]
    while open_types:
        annotation = open_types.pop(0)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.append(annotation)
        else:
            open_types += get_args(annotation)
    return found


def alternative(model: type[BaseModel]) -> tuple[str, str] | None:
    """Return the setting that chooses this section among others in one place, and its value there."""
    for name in ("kind", "source"):
        field = model.model_fields.get(name)
        choices = get_args(field.annotation) if field is not None else ()
        if len(choices) == 1:
            return name, choices[0]
    return None


def _place(location: Sequence[int | str], raw: Any) -> Iterator[str]:
    """Yield where in the file a mistake is, without the alternatives that pydantic names in between."""
    for number, part in enumerate(location):
        found = part in raw if isinstance(raw, dict) else isinstance(part, int) and isinstance(raw, list)
        if found:
            raw = raw[part]
        if found or number == len(location) - 1:
            yield str(part)


def _fields_at(location: Sequence[int | str], model: type[BaseModel]) -> list[str]:
    """Return the settings that a section has."""
    sections = [model]
    for part in location:
        fields = [s.model_fields[part] for s in sections if isinstance(part, str) and part in s.model_fields]
        if fields:
            sections = [section for field in fields for section in nested_sections(field)]
        else:
            chosen = [s for s in sections if (choice := alternative(s)) is not None and choice[1] == part]
            sections = chosen or sections
    return list(dict.fromkeys(name for section in sections for name in section.model_fields))
