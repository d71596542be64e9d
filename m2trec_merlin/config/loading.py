"""Read a configuration file and report all its mistakes at once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from m2trec_merlin.attributes import ITEM_ID, AnyAttribute, Attribute
from m2trec_merlin.config.sections import (
    DataConfig,
    EvaluationConfig,
    ModelConfig,
    ServingConfig,
    TrainingConfig,
)
from m2trec_merlin.encoded import Layout
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.sections import Section


class Config(Section):
    """The whole configuration of a run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    work_dir: Path | None = Field(None, description="where results go; default: runs/<name>")
    seed: int = 42
    variant: str = Field("m2trec", description="set by `--variant`; variants share data, not models")
    data: DataConfig = DataConfig()
    attributes: list[AnyAttribute] = Field(min_length=1)
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    serving: ServingConfig = ServingConfig()

    @property
    def directory(self) -> Path:
        """Folder that holds every artifact of this run."""
        return self.work_dir or Path("runs") / self.name

    @property
    def model_directory(self) -> Path:
        """Folder of everything that depends on the model: `model`, `evaluation`, `triton`."""
        return self.directory if self.variant == "m2trec" else self.directory / "variants" / self.variant

    @property
    def inputs(self) -> list[str]:
        """Names of what the model knows of an item: attributes, and `ITEM_ID` for the variants of ids."""
        return self.model.inputs or [attribute.name for attribute in self.attributes]

    def attribute(self, name: str) -> Attribute:
        """Return the attribute called `name`.

        Raises:
            ConfigError: if there is none.
        """
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        raise ConfigError(f"no attribute '{name}'; there are {', '.join(a.name for a in self.attributes)}")

    def warnings(self) -> list[str]:
        """Return what is accepted and does not do what it seems to, a line each."""
        return []

    @field_validator("attributes")
    @classmethod
    def _names_are_unique(cls, attributes: list[Attribute]) -> list[Attribute]:
        names = [a.name for a in attributes]
        repeated = sorted({n for n in names if names.count(n) > 1})
        if repeated:
            raise ValueError(f"names {repeated} occur more than once")
        return attributes

    @model_validator(mode="after")
    def _names_refer_to_attributes(self) -> Config:
        named: dict[str, Attribute] = {a.name: a for a in self.attributes}
        predictable = sorted(name for name, a in named.items() if a.layout is Layout.IDS)
        problems = [
            f"model.inputs names '{name}'; accepted: {sorted([*named, ITEM_ID])}"
            for name in self.model.inputs or []
            if name not in named and name != ITEM_ID
        ]
        problems += [
            f"model.next_attributes names '{task.attribute}', which is "
            f"{'of kind ' + named[task.attribute].kind if task.attribute in named else 'no attribute'}; "
            f"accepted: {predictable}"
            for task in self.model.next_attributes
            if task.attribute not in predictable
        ]
        for attribute in named.values():
            problems += attribute.contradictions(named)
        if problems:
            raise ValueError("; ".join(problems))
        return self


def load_config(path: Path | str, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a YAML or TOML file; relative data paths are taken from the file's folder.

    Args:
        path: the file; `extends: other.yaml` in it merges it over another one.
        overrides: dotted keys and values that replace what the file says, such as `training.epochs`.

    Raises:
        ConfigError: the file cannot be read, or anything in it is wrong. All mistakes are listed.
    """
    path = Path(path)
    raw = _read_with_parents(path, seen=())
    for key, value in (overrides or {}).items():
        _set(raw, key.split("."), value)
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_explain(path, error)) from None


def _read_with_parents(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in seen:
        raise ConfigError(f"{path}: `extends` goes round in a circle")
    raw = _read(path)
    _anchor_paths(raw, path.parent)
    parent = raw.pop("extends", None)
    if parent is None:
        return raw
    return _merge(_read_with_parents(path.parent / parent, (*seen, path.resolve())), raw)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError(f"{path}: no such configuration file; the ones that ship are in configs/")
    text = path.read_text(encoding="utf-8")
    try:
        raw = _parse_toml(text) if path.suffix == ".toml" else yaml.safe_load(text)
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
    for key in ("interactions", "items", "folder"):
        value = data.get(key)
        if isinstance(value, str):
            data[key] = str(folder / Path(value).expanduser())


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merge(base[key], value) if both else value
    return merged


def _set(raw: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        raw = raw.setdefault(key, {})
    raw[keys[-1]] = value


def _explain(path: Path, error: ValidationError) -> str:
    lines = [
        f"{path}: {error.error_count()} mistake{'s' if error.error_count() != 1 else ''} in the configuration"
    ]
    for mistake in error.errors(include_url=False):
        where = ".".join(str(part) for part in mistake["loc"]) or "(whole file)"
        message = mistake["msg"].removeprefix("Value error, ")
        shown = mistake.get("input")
        got = "" if isinstance(shown, dict | list) or mistake["type"] == "missing" else f" (got {shown!r})"
        lines.append(f"  - {where}: {message}{got}")
    return "\n".join(lines)
