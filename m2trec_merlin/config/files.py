"""Parse configuration files (YAML 1.2 or TOML) to plain values, and write values as YAML."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from m2trec_merlin.errors import ConfigError, reason_of, shorten

#: Hints on mistakes in YAML, by a pattern that occurs in the error message or in the text.
_HINTS = {
    r"'\\t' that cannot start": "YAML indents with spaces, not with tabs",
    "'.' that cannot start": "a text that begins so needs quotation marks, as in '%d.%m.%Y' or '@hour'",
    "unknown escape character": r"a backslash in double quotes is an escape: write 'C:\shop' in single ones",
    r"(?m)^ *[\u00a0\u2000-\u200b\u3000]": "a line begins with blanks of a web page, which are no spaces",
}


def read_settings(path: Path, extended_by: Path | None = None) -> dict[str, Any]:
    """Return the settings of a file, unchecked.

    Args:
        path: the file.
        extended_by: the file that names it, if it is not the user.

    Raises:
        ConfigError: the file cannot be read, or holds no mapping.
    """
    try:
        if path.exists() and not path.is_file():
            kind = "folder" if path.is_dir() else "device or pipe"
            raise ConfigError(f"{path}: is a {kind}, not a configuration file")
        # Some editors begin a file with a byte order mark, which TOML does not allow.
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if extended_by is not None:
            raise ConfigError(f"{extended_by}: extends: {path}: no such file") from None
        raise ConfigError(
            f"{path}: no such configuration file: name yours with -c; the ones that ship are in configs/ of "
            "the repository, and `m2trec init` writes one for your tables"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {reason_of(error)}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: not UTF-8 (byte {error.start + 1} cannot be read): save the file as UTF-8"
        ) from None
    except ValueError as error:
        raise ConfigError(f"{str(path)!r} is no name of a file: {error}") from None
    try:
        settings = _parse_toml(text) if path.suffix.lower() == ".toml" else parse_yaml(text, path.name)
    except ValueError as error:
        raise ConfigError(f"{path}: cannot be parsed: {error}") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: expected settings, as in `name: shop`, found {describe_value(settings)}")
    return settings


def parse_yaml(text: str, source: str) -> Any:
    """Parse a YAML text.

    Args:
        text: the text of one document.
        source: name of the text in messages.

    Raises:
        ValueError: the text is not YAML; the message says where.
    """
    try:
        return yaml.load(text, _Yaml12)
    except yaml.YAMLError as error:
        hints = (f"\n  {hint}" for sign, hint in _HINTS.items() if re.search(sign, f"{error}\n{text}"))
        raise ValueError(str(error).replace("<unicode string>", source) + next(hints, "")) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def parse_setting(text: str) -> Any:
    """Parse the value of a setting on a command line: YAML in brackets or quotes, or one plain value.

    The whole text is one plain value: YAML's signs for comments, directives and blocks may be separators,
    formats of times or parts of paths.

    Raises:
        ValueError: the value cannot be parsed; the message says where.
    """
    if text.lstrip().startswith(("[", "{", '"', "'")):
        return parse_yaml(text, "the value")
    plain = text.strip() or text
    loader = _Yaml12("")
    node = yaml.ScalarNode(loader.resolve(yaml.ScalarNode, plain, (True, False)), plain)
    try:
        return loader.construct_object(node)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def describe_value(value: Any) -> str:
    """Describe a value for a message: shortened, and nested values by their type."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "settings below it" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return shorten(repr(value), 80)


def _parse_toml(text: str) -> dict[str, Any]:
    if sys.version_info < (3, 11):
        raise ConfigError("TOML files need Python 3.11 or later; write the same settings as YAML")
    import tomllib

    return tomllib.loads(text)


class _Yaml12(yaml.SafeLoader):
    """A loader of YAML 1.2 that refuses duplicate keys.

    PyYAML reads YAML 1.1, where 1e-3 is text, 010 is eight, `no` is false, 12:30 is 750, and 2024-01-01 is a
    date.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Refuse a value that is not of its tag, at which PyYAML fails in the ways of Python."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError):
            what = f"{describe_value(node.value)} cannot be read as {node.tag.rpartition(':')[2]}"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse duplicate keys, of which PyYAML silently keeps only the last."""
        seen = set()
        if not isinstance(node, yaml.MappingNode):
            return super().construct_mapping(node, deep)  # which says what is wrong
        for key, _ in node.value:
            # Keys may repeat those of a merge (<<), but not each other.
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{key.value}' stands there twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def _construct_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int | float:
    text = loader.construct_scalar(node)
    if re.fullmatch(r"0[ox]\w+", text):
        return int(text, 0)
    return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(re.sub(r"(?i)\.(inf|nan)", r"\1", text))


_NUMBER = (
    r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    r"|0o[0-7]+|0x[0-9a-fA-F]+"
)
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("float", _NUMBER, list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Yaml12.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)
_Yaml12.add_constructor("tag:yaml.org,2002:float", _construct_number)


class _Writer(yaml.SafeDumper):
    """A writer that quotes texts which YAML 1.1 or 1.2 would not read as text, so any reader works."""

    yaml_implicit_resolvers = {
        first: [*yaml.SafeDumper.yaml_implicit_resolvers.get(first, []), *own]
        for first in {**yaml.SafeDumper.yaml_implicit_resolvers, **_Yaml12.yaml_implicit_resolvers}
        for own in [_Yaml12.yaml_implicit_resolvers.get(first, [])]
    }


def write_value(value: Any) -> str:
    """Return a JSON value as one line of YAML."""
    dumped: str = yaml.dump(
        value, Dumper=_Writer, default_flow_style=True, allow_unicode=True, sort_keys=False, width=1 << 30
    )
    dumped = dumped.removesuffix("...\n").strip()
    # YAML would write texts with line breaks on several lines; JSON does not, and is valid YAML.
    return json.dumps(value, ensure_ascii=False) if "\n" in dumped else dumped
