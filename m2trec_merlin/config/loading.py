"""Read a configuration file and report all its mistakes at once."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from m2trec_merlin.config.mistakes import explain
from m2trec_merlin.config.settings import Config
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.readers import PATHS


def load_config(
    path: Path | str, overrides: Mapping[str, Any] | None = None, variant: str | None = None
) -> Config:
    """Read a YAML or TOML file; relative data paths are taken from the file's folder.

    Args:
        path: the file; `extends: other.yaml` in it merges it over another one.
        overrides: dotted keys and values that replace what the file says, such as `training.epochs`; entries
            of lists by number, such as `attributes.0.column`.
        variant: of the paper, whatever the file says.

    Raises:
        ConfigError: the file cannot be read, or anything in it is wrong. All mistakes are listed.
    """
    path = Path(path)
    raw = _read_with_parents(path, seen=())
    for key, value in (overrides or {}).items():
        _set(raw, key, value)
    if variant is not None:
        raw["variant"] = variant
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(explain(path, error, raw, Config)) from None
    return config.with_variant(config.variant)


def restore_config(saved: Mapping[str, Any]) -> Config:
    """Take back a configuration that a finished step wrote down, its variant applied."""
    return Config.model_validate(saved)


def parse_overrides(settings: Sequence[str]) -> dict[str, Any]:
    """Read KEY=VALUE settings of a command line; values are YAML.

    Raises:
        ConfigError: one has no `=`, or its value cannot be parsed.
    """
    overrides = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator:
            raise ConfigError(f"--set {setting}: expected KEY=VALUE, as in training.epochs=3")
        try:
            overrides[key] = yaml.load(value, _UniqueKeys)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {setting}: the value cannot be parsed: {error}") from None
    return overrides


def _read_with_parents(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in seen:
        raise ConfigError(f"{path}: `extends` goes round in a circle")
    raw = _read(path)
    _anchor_paths(raw, path.parent)
    parent = raw.pop("extends", None)
    if parent is None:
        return raw
    if not isinstance(parent, str):
        raise ConfigError(f"{path}: extends: expected the name of one file, found {parent!r}")
    return _merge(_read_with_parents(path.parent / parent, (*seen, path.resolve())), raw)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError(f"{path}: no such configuration file; the ones that ship are in configs/")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: not UTF-8 (byte {error.start + 1} cannot be read): save the file as UTF-8"
        ) from None
    try:
        raw = _parse_toml(text) if path.suffix == ".toml" else yaml.load(text, _UniqueKeys)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be parsed: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, found {type(raw).__name__}")
    return raw


def _parse_toml(text: str) -> dict[str, Any]:
    if sys.version_info < (3, 11):
        raise ConfigError("TOML files need Python 3.11 or later; write the same settings as YAML")
    import tomllib

    return tomllib.loads(text)


def _anchor_paths(raw: dict[str, Any], folder: Path) -> None:
    data = raw.get("data")
    if not isinstance(data, dict):
        return
    for key in PATHS:
        value = data.get(key)
        if isinstance(value, str):
            data[key] = str(folder / Path(value).expanduser())


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merge(base[key], value) if both else value
    return merged


def _set(raw: dict[str, Any], key: str, value: Any) -> None:
    """Replace what a dotted key leads to; sections that are not there yet are made."""
    *sections, last = key.split(".")
    place: Any = raw
    for number, section in enumerate(sections):
        if isinstance(place, list):
            place = place[_entry(place, key, section)]
        elif isinstance(place, dict):
            place = place.setdefault(section, {})
        if not isinstance(place, dict | list):
            above = ".".join(sections[: number + 1])
            raise ConfigError(f"--set {key}: {above} is {place!r}, which holds no other settings")
    if isinstance(place, list):
        place[_entry(place, key, last)] = value
    else:
        place[last] = value


def _entry(entries: list[Any], key: str, number: str) -> int:
    if not number.isdigit() or int(number) >= len(entries):
        raise ConfigError(
            f"--set {key}: {number} is no entry of a list of {len(entries)}; they are counted from 0"
        )
    return int(number)


class _UniqueKeys(yaml.SafeLoader):
    """Plain YAML, in which a key may stand but once in its mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse what YAML's own loader would drop without a word."""
        seen = set()
        for key, _ in node.value:
            # A merge (<<) may name keys again; two of the same spelling may not.
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{key.value}' stands there twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)
