"""Explain the mistakes of a configuration to a person: where they are, what was found, what is accepted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from m2trec_merlin.config.files import describe_value
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.shares import counted

#: Kinds of mistakes whose message contains the value that was found.
_TELL_WHAT_THEY_GOT = ("model_type", "model_attributes_type", "union_tag_invalid")
_IN_WORDS_OF_THE_FILE = {
    "list_type": "expected a list, as in [a, b]",
    "path_type": "expected the name of a file or folder",
    "string_type": "expected text; quotation marks make text of anything",
    "invalid_key": "there is no such setting",
}


def explain(source: str, error: ValidationError, raw: dict[str, Any], model: type[BaseModel]) -> ConfigError:
    """Return an error that lists all mistakes.

    Args:
        source: what was read, as messages call it: the file, and whether settings replaced some of its own.
        error: the error raised by validation.
        raw: the values that were validated.
        model: the pydantic model of the whole file.
    """
    count = error.error_count()
    mistakes = []
    for mistake in error.errors(include_url=False):
        where = ".".join(_place(mistake["loc"], raw)) or "(whole file)"
        shown = mistake.get("input")
        tells_enough = isinstance(shown, dict | list) or mistake["type"] in ("missing", *_TELL_WHAT_THEY_GOT)
        got = "" if tells_enough else f" (got {describe_value(shown)})"
        mistakes.append(f"{where}: {_message(mistake, model)}{got}")
    return ConfigError(f"{source}: {counted(count, 'mistake')} in the configuration", mistakes)


def _message(mistake: ErrorDetails, model: type[BaseModel]) -> str:
    """Return a message about a mistake; where pydantic's message is about Python, in terms of the file."""
    kind, found, context = mistake["type"], mistake.get("input"), mistake.get("ctx", {})
    if kind == "extra_forbidden":
        return f"there is no such setting; accepted: {', '.join(_fields_at(mistake['loc'][:-1], model))}"
    if kind in ("model_type", "model_attributes_type"):
        remedy = ", or no mention of it for the defaults" if found is None else ""
        accepted = ", ".join(_fields_at(mistake["loc"], model))
        return f"expected settings below it{remedy}, found {describe_value(found)}; accepted: {accepted}"
    if kind == "union_tag_invalid":
        setting = context["discriminator"].strip("'")
        return f"there is no {setting} '{context['tag']}'; accepted: {context['expected_tags']}"
    if kind == "union_tag_not_found":
        setting = context["discriminator"].strip("'")
        choices = [choice[1] for s in _sections_at(mistake["loc"], model) if (choice := alternative(s))]
        return f"lacks `{setting}`, on which the other settings depend; accepted: {', '.join(choices)}"
    if kind in _IN_WORDS_OF_THE_FILE:
        return _IN_WORDS_OF_THE_FILE[kind]
    return mistake["msg"].removeprefix("Value error, ")


def nested_sections(field: FieldInfo) -> list[type[BaseModel]]:
    """Return the sections that a field holds: one section, that of its list entries, or alternatives."""
    found, open_types = [], [field.annotation]
    while open_types:
        annotation = open_types.pop(0)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.append(annotation)
        else:
            open_types += get_args(annotation)
    return found


def alternative(model: type[BaseModel]) -> tuple[str, str] | None:
    """Return the setting that selects this section among alternatives, and its value; None without any."""
    for name in ("kind", "source"):
        field = model.model_fields.get(name)
        choices = get_args(field.annotation) if field is not None else ()
        if len(choices) == 1:
            return name, choices[0]
    return None


def _place(location: Sequence[int | str], raw: Any) -> Iterator[str]:
    """Yield the keys that lead to a mistake in the file, without the names of alternatives pydantic adds."""
    for number, part in enumerate(location):
        found = part in raw if isinstance(raw, dict) else isinstance(part, int) and isinstance(raw, list)
        if found:
            raw = raw[part]
        if found or number == len(location) - 1:
            yield str(part)


def _fields_at(location: Sequence[int | str], model: type[BaseModel]) -> list[str]:
    """Return the names of the settings in the section at a location."""
    sections = _sections_at(location, model)
    return list(dict.fromkeys(name for section in sections for name in section.model_fields))


def _sections_at(location: Sequence[int | str], model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return the section at a location, or its alternatives."""
    sections = [model]
    for part in location:
        fields = [s.model_fields[part] for s in sections if isinstance(part, str) and part in s.model_fields]
        if fields:
            sections = [section for field in fields for section in nested_sections(field)]
        else:
            chosen = [s for s in sections if (choice := alternative(s)) is not None and choice[1] == part]
            sections = chosen or sections
    return sections
