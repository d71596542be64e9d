"""Load a configuration file, and report all its mistakes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from m2trec_merlin.config.files import parse_setting, read_settings
from m2trec_merlin.config.mistakes import explain
from m2trec_merlin.config.serving import ServingConfig
from m2trec_merlin.config.settings import Config
from m2trec_merlin.errors import CommandLineError, ConfigError
from m2trec_merlin.readers import PATHS
from m2trec_merlin.sections import at_home


def load_config(path: Path | str, overrides: Mapping[str, Any] | None = None) -> Config:
    """Load a YAML or TOML file; relative paths of data are relative to the file's folder.

    Args:
        path: the file. A line `extends: other.yaml` merges it over another file.
        overrides: values that replace those of the file, by dotted key, such as `training.epochs`; entries of
            lists by number, such as `attributes.0.column`.

    Raises:
        CommandLineError: an override has no place in the file; lists all of them.
        ConfigError: the file cannot be read, or anything in it is wrong; lists all mistakes.
    """
    path = Path(path)
    raw = _read_with_parents(path, seen=())
    problems = []
    for key, value in (overrides or {}).items():
        try:
            _set(raw, key, value)
        except CommandLineError as error:
            problems.append(str(error))
    if problems:
        raise CommandLineError("\n".join(problems))
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise explain(f"{path} with --set" if overrides else str(path), error, raw, Config) from None
    return config.with_variant(config.variant)


def serving_of(overrides: Mapping[str, Any]) -> ServingConfig:
    """Return the section `serving` from command-line settings alone, for a run that is named by its folder.

    Args:
        overrides: values by dotted key, as for `load_config`, of this section only.

    Raises:
        CommandLineError: a setting belongs to another section.
        ConfigError: a setting is wrong.
    """
    if others := [key for key in overrides if not key.startswith("serving.")]:
        raise CommandLineError(
            f"--set {others[0]}: a run that is named takes settings of `serving` only: name a configuration "
            "by -c for others"
        )
    raw: dict[str, Any] = {}
    for key, value in overrides.items():
        _set(raw, key, value)
    try:
        return ServingConfig.model_validate(raw.get("serving", {}))
    except ValidationError as error:
        raise explain("--set serving", error, raw.get("serving", {}), ServingConfig) from None


def restore_config(saved: Mapping[str, Any]) -> Config:
    """Load a configuration that a finished step saved, with its variant already applied."""
    serving = saved.get("serving", {})
    if "neighbours" in serving:
        # Saved before mixtures were chosen on validation; models of that time can still be used.
        serving = {name: value for name, value in serving.items() if name not in ("neighbours", "mixture")}
    return Config.model_validate({**saved, "serving": serving})


def parse_overrides(settings: Sequence[str]) -> dict[str, Any]:
    """Parse KEY=VALUE settings of a command line; see `parse_setting` for values.

    Raises:
        CommandLineError: a setting has no key or no `=`, replaces another one, or has a value that cannot
            be parsed; lists all problems.
    """
    overrides: dict[str, Any] = {}
    problems = []
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not all(key.split(".")):
            problems.append(f"--set {setting}: expected KEY=VALUE, as in training.epochs=3")
            continue
        if key in overrides:
            problems.append(f"--set {setting}: {key} is set before; say once which value is meant")
            continue
        if below := next((other for other in overrides if other.startswith(f"{key}.")), None):
            problems.append(f"--set {setting}: replaces {below}, which is set before: set {key} first")
            continue
        try:
            overrides[key] = parse_setting(value)
        except ValueError as error:
            problems.append(f"--set {setting}: the value cannot be parsed: {error}")
    if problems:
        raise CommandLineError("\n".join(problems))
    return overrides


def _read_with_parents(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    raw = read_settings(path, extended_by=seen[-1] if seen else None)
    if path.resolve() in seen:
        raise ConfigError(f"{path}: `extends` goes round in a circle")
    _anchor_paths(raw, path.parent)
    parent = raw.pop("extends", None)
    if parent is None:
        return raw
    if not isinstance(parent, str) or not parent:
        raise ConfigError(f"{path}: extends: expected the name of one file, found {parent!r}")
    try:
        above = at_home(parent) if parent.startswith("~") else path.parent / parent
    except ValueError as error:
        raise ConfigError(f"{path}: extends: {parent}: {error}") from None
    return _merge(_read_with_parents(above, (*seen, path.resolve())), raw)


def _anchor_paths(raw: dict[str, Any], folder: Path) -> None:
    data = raw.get("data")
    if not isinstance(data, dict):
        return
    for key in PATHS:
        value = data.get(key)
        if isinstance(value, str) and value and not value.startswith("~"):
            anchored = folder / value
            # With ./ in front, a folder that is called ~name is no home folder.
            data[key] = str(anchored) if anchored.is_absolute() else f"./{anchored}"


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    if any(tag in over and base.get(tag, over[tag]) != over[tag] for tag in ("kind", "source")):
        # To another kind of section, or source of data, the other settings mean nothing.
        return over
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merge(base[key], value) if both else value
    return merged


def _set(raw: dict[str, Any], key: str, value: Any) -> None:
    """Set the value at a dotted key; missing sections are created."""
    *sections, last = key.split(".")
    place: Any = raw
    for number, section in enumerate(sections):
        if isinstance(place, list):
            place = place[_entry(place, key, section)]
        elif isinstance(place, dict):
            place = place.setdefault(section, {})
        if not isinstance(place, dict | list):
            above = ".".join(sections[: number + 1])
            raise CommandLineError(f"--set {key}: {above} is {place!r}, which holds no other settings")
    if isinstance(place, list):
        place[_entry(place, key, last)] = value
    else:
        place[last] = value


def _entry(entries: list[Any], key: str, number: str) -> int:
    if not number.isdecimal() or int(number) >= len(entries):
        raise CommandLineError(
            f"--set {key}: {number} is no entry of a list of {len(entries)}; they are counted from 0"
        )
    return int(number)
