"""Every setting of every section, taken from the sections themselves, under values that nobody means."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from m2trec_merlin.config import Config
from m2trec_merlin.config.mistakes import alternative, nested_sections

Keys = tuple[str | int, ...]

TABLES = {"source": "tables", "interactions": "a", "items": "b"}
#: Each section and each alternative once, with its required settings.
BASES: list[dict[str, Any]] = [
    {"data": {"source": "complete_journey", "split": {"kind": "hash"}}},
    {
        "data": {"source": "diginetica", "folder": "a", "split": {"kind": "time"}},
        "serving": {"mixture": {"kind": "fixed"}},
    },
    {
        "data": {"source": "synthetic", "split": {"kind": "modulus"}},
        "serving": {"mixture": {"kind": "off"}},
    },
    {"data": {**TABLES, "columns": {"split": "split"}, "split": {"kind": "column"}}},
    {
        "data": {
            **TABLES,
            "columns": {"order": "time"},
            "sessions": {"user": "customer"},
            "options": {"items": {"separator": ";"}},
            "targets": {"column": "event", "values": ["buy"]},
            "keep": [{"column": "quantity", "at_least": 1}, {"column": "event", "values": ["buy"]}],
            "split": {"kind": "hash"},
        }
    },
]
ATTRIBUTES = [
    {"name": kind, "kind": kind, **({"size": 8} if kind == "vector" else {})}
    for kind in ("text", "categorical", "multi_categorical", "numeric", "vector", "sentence")
]
REST: dict[str, Any] = {
    "name": "shop",
    "attributes": ATTRIBUTES,
    "event_attributes": ATTRIBUTES[1:2],
    "model": {"session": {}, "next_item": {}, "next_attributes": [{"attribute": "categorical"}]},
    "training": {},
    "evaluation": {},
    "serving": {
        "tls": {"certificate": "a", "key": "b"},
        "log": {"folder": "shown"},
        "mixture": {"kind": "tuned"},
    },
    "tracking": {"mlflow": {}},
}


@dataclass(frozen=True)
class Setting:
    """A setting in one of the configurations: where, of what type, within which limits."""

    raw: dict[str, Any]
    keys: Keys
    annotation: Any
    limits: tuple[Any, ...]

    def __str__(self) -> str:
        return ".".join(map(str, self.keys))

    def mistakes(self, value: Any) -> list[Keys]:
        """The places of all mistakes of the configuration with another value here."""
        raw: Any = copy.deepcopy(self.raw)
        place = raw
        for key in self.keys[:-1]:
            place = place[key] if isinstance(place, list) else place.setdefault(key, {})
        place[self.keys[-1]] = value
        try:
            Config.model_validate(raw)
        except ValidationError as error:
            return [tuple(mistake["loc"]) for mistake in error.errors()]
        return []

    def refuses(self, value: Any) -> bool:
        """Whether the value is a mistake, told of this setting or of the section that it stands in."""
        # Pydantic names the alternatives in between, and one is called as a setting: `modulus`.
        names = [key for key in self.keys if isinstance(key, str)]
        told = [list(dict.fromkeys(key for key in place if key in names)) for place in self.mistakes(value)]
        return any(place in (names, names[:-1]) for place in told)


def settings(raw: dict[str, Any], section: type[BaseModel], keys: Keys = ()) -> Iterator[Setting]:
    value: Any = raw
    for key in keys:
        value = value[key] if isinstance(value, list) else value.get(key, {})
    for name, field in section.model_fields.items():
        nested = nested_sections(field)
        if not nested:
            yield Setting(raw, (*keys, name), field.annotation, tuple(field.metadata))
            continue
        if field.default in (None, []) and name not in value:
            continue  # a section that need not be there, and is in another of the configurations
        below = value.get(name, {})
        for place, content in enumerate(below) if isinstance(below, list) else [(None, below)]:
            for each in nested:
                choice = alternative(each)
                if choice is None or content.get(choice[0], choice[1]) == choice[1]:
                    here = (*keys, name) if place is None else (*keys, name, place)
                    yield from settings(raw, each, here)


def every_setting() -> list[Setting]:
    found: dict[tuple[str, Any], Setting] = {}
    for base in BASES:
        for each in settings({**REST, **base}, Config):
            source = base["data"]["source"] if each.keys[0] == "data" else None
            found.setdefault((str(each), source), each)
    return list(found.values())


SETTINGS = every_setting()


def plain(annotation: Any, limits: tuple[Any, ...] = ()) -> tuple[Any, list[Any]]:
    """The type without None and aliases, and all limits on it."""
    if get_origin(annotation) is Annotated:
        inner, *extras = get_args(annotation)
        more = [limit for extra in extras for limit in getattr(extra, "metadata", ())]
        return plain(inner, (*limits, *more))
    choices = [choice for choice in get_args(annotation) if choice is not type(None)]
    if len(choices) == 1 and get_origin(annotation) not in (list, Literal):
        return plain(choices[0], limits)
    return annotation, list(limits)


def of_type(*types: Any) -> list[Setting]:
    return [s for s in SETTINGS if plain(s.annotation)[0] in types]


def bound(limits: list[Any], *names: str) -> Any:
    return next((getattr(limit, n) for limit in limits for n in names if hasattr(limit, n)), None)


NUMBERS, TEXTS = of_type(int, float), of_type(str)
LISTS = [s for s in SETTINGS if get_origin(plain(s.annotation)[0]) is list]
CHOICES = [s for s in SETTINGS if get_origin(plain(s.annotation)[0]) is Literal]


def test_every_setting_is_of_a_type_that_is_tried() -> None:
    tried = [*NUMBERS, *TEXTS, *LISTS, *CHOICES, *of_type(bool, Path)]
    assert sorted(map(str, tried)) == sorted(map(str, SETTINGS))
    names = {str(setting) for setting in SETTINGS}
    assert {"seed", "data.split.modulus", "attributes.0.pair_buckets", "serving.http_port"} <= names
    assert all(setting.raw and not Setting.mistakes(setting, _as_it_is(setting)) for setting in SETTINGS)


def _as_it_is(setting: Setting) -> Any:
    """The value that the setting has already."""
    section: Any = Config.model_validate(setting.raw)
    for key in setting.keys:
        section = section[key] if isinstance(key, int) else getattr(section, key)
    return section.model_dump() if isinstance(section, BaseModel) else section


@pytest.mark.parametrize("setting", NUMBERS, ids=str)
def test_numbers_have_both_ends(setting: Setting) -> None:
    kind, limits = plain(setting.annotation, setting.limits)
    lowest, highest = bound(limits, "ge", "gt"), bound(limits, "le", "lt")
    assert lowest is not None and highest is not None, f"{setting} has no {lowest} <= value <= {highest}"
    below = [lowest - 1, -math.inf, -(10**400) if kind is int else -1e308]
    above = [highest + 1, math.inf, 10**400 if kind is int else 1e308]
    for value in [
        *below,
        *above,
        math.nan,
        True,
        False,
        "many",
        "",
        "12 of 20",
        [1],
        {"a": 1},
        *([0.5, "0.5"] if kind is int else []),
    ]:
        assert setting.refuses(value), f"{setting}: {value!r} is accepted"


@pytest.mark.parametrize("setting", TEXTS, ids=str)
def test_texts_say_something(setting: Setting) -> None:
    for value in ["", "a\0b", 3, 0.5, True, ["a"], {"a": 1}, "x" * 300]:
        assert setting.refuses(value), f"{setting}: {value!r} is accepted"


@pytest.mark.parametrize("setting", of_type(Path), ids=str)
def test_paths_name_something(setting: Setting) -> None:
    for value in ["", "a\0b", 3, True, ["a"], "~nobody-of-this-name/a"]:
        assert setting.refuses(value), f"{setting}: {value!r} is accepted"
    assert not setting.mistakes("~/results")


@pytest.mark.parametrize("setting", of_type(bool), ids=str)
def test_switches_are_on_or_off(setting: Setting) -> None:
    for value in ["", "maybe", 2, 0.5, math.nan, [True], None]:
        assert setting.refuses(value), f"{setting}: {value!r} is accepted"


@pytest.mark.parametrize("setting", CHOICES, ids=str)
def test_choices_are_named(setting: Setting) -> None:
    for value in ["", "nothing", "MEAN", 1, True, [], None]:
        assert setting.refuses(value), f"{setting}: {value!r} is accepted"


@pytest.mark.parametrize("setting", LISTS, ids=str)
def test_lists_hold_each_entry_once(setting: Setting) -> None:
    absent = {"model.inputs": ["text"], "data.options.category_levels": None, "data.keep.0.values": ["buy"]}
    known = _as_it_is(setting) or absent[str(setting)]
    wrong: list[Any] = [3, "a", {"a": 1}, [None], [[1]], [True], [""], [{}]]
    # Levels of the same size are no slip.
    for value in [*wrong, *([[known[0], known[0]]] if known else [])]:
        assert setting.refuses(value), f"{setting}: {value!r} is accepted"
    empty_means_none = {"evaluation.baselines", "data.options.category_levels"}
    assert setting.refuses([]) == (str(setting) not in empty_means_none)
