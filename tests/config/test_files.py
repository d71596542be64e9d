"""How text becomes settings: the readings of YAML that surprise people, and files that hold none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from m2trec_merlin.config import load_config, parse_overrides
from m2trec_merlin.config.files import parse_yaml, read_settings, write_value
from m2trec_merlin.errors import ConfigError

SHOP = "name: shop\nattributes: [{name: title, kind: text}]\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100_000.0),
        ("2.5e-4", 0.00025),
        ("1.", 1.0),
        (".5", 0.5),
        ("+3", 3),
        ("-.inf", float("-inf")),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("2024-01-01", "2024-01-01"),
        ("12:30:00", "12:30:00"),
        ("'1e-3'", "1e-3"),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
        ("[1, 1e3, a]", [1, 1000.0, "a"]),
        ("a: &all {b: 1, c: 2}\nd: {<<: *all, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
    ],
)
def test_yaml_is_read_by_version_1_2(text: str, value: Any) -> None:
    found = parse_yaml(text, "file")
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\t- 1", r"'\\t' that cannot start.*\n.*c\.yaml\", line 2(.|\n)*spaces, not with tabs"),
        ("a: 1\n---\na: 2", r"single document(.|\n)*c\.yaml\", line 2"),
        ("a: {b: %d.%m.%Y}", r"line 1, column 8:(.|\n)*begins so needs quotation marks, as in '%d"),
        ("a: @hour", "begins so needs quotation marks"),
        (r'a: "C:\data\new.csv"', r"line 1(.|\n)*backslash(.|\n)*in single ones"),
        ("a:\n\u00a0\u00a0b: 1\n  c: 2\n", "line 3(.|\n)*which are no spaces"),
        ("a: !!python/object:os.system 1", "could not determine a constructor"),
        ("? [a]\n: 1", "unhashable key"),
        ("a: !!bool two", "'two' cannot be read as bool(.|\n)*line 1, column 4"),
        ("a: !!timestamp soon", "'soon' cannot be read as timestamp(.|\n)*line 1, column 4"),
        ("a: !!int two", "'two' cannot be read as int(.|\n)*line 1, column 4"),
        ("a: !!set [b]", "expected a mapping node, but found sequence(.|\n)*line 1, column 4"),
        ("a: *nowhere", "undefined alias"),
        ("a: \x07", "special characters are not allowed"),
        ("[" * 10_000, "nested too deeply"),
    ],
)
def test_what_is_no_yaml_is_said_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=rf"c\.yaml: cannot be parsed: (.|\n)*{message}"):
        read_settings(tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("text", "found"),
    [("", "nothing"), ("# training: 3\n", "nothing"), ("- a", "a list"), ("hello", "'hello'"), ("3", "3")],
)
def test_files_without_settings(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=rf"c\.yaml: expected settings, as in `name: shop`, found {found}$"):
        load_config(tmp_path / "c.yaml")


@pytest.mark.parametrize("suffix", ["yaml", "toml"])
def test_marks_and_line_ends_of_other_systems(tmp_path: Path, suffix: str) -> None:
    if suffix == "toml" and sys.version_info < (3, 11):
        pytest.skip("no TOML in this Python")
    text = SHOP if suffix == "yaml" else 'name = "shop"\n[[attributes]]\nname = "title"\nkind = "text"\n'
    path = tmp_path / f"c.{suffix}"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load_config(path).attributes[0].name == "title"


def test_names_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for name, message in {
        ".": "is a folder, not a configuration file",
        "pipe": "is a device or pipe, not a configuration file",
        "loop": "cannot be read: Too many levels of symbolic links",
        "x" * 300: "cannot be read: File name too long",
        "file/c.yaml": "cannot be read: Not a directory",
        "missing.yaml": "no such configuration file: name yours with -c; the ones that ship are in configs/",
        "a\0b": "is no name of a file",
    }.items():
        with pytest.raises(ConfigError, match=message):
            load_config(tmp_path / name)


def test_files_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *arguments: object, **options: object) -> str:
        raise PermissionError(13, "as the kernel says", str(path))

    (tmp_path / "c.yaml").touch()
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ConfigError, match=r"c\.yaml: cannot be read: Permission denied$"):
        load_config(tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: 3", "training: expected settings below it, found 3; accepted: epochs, batch_size"),
        (
            "training:",
            "training: expected .* or no mention of it for the defaults, found nothing",
        ),
        ("training: []", "training: expected settings below it, found an empty list"),
        ("data: {source: foo}", "data: there is no source 'foo'; accepted: 'complete_journey', 'diginetica'"),
        ("data: foo", "data: expected settings below it, found 'foo'"),
        (
            "data: {split: {test_share: 0.1}}",
            "data.split: lacks `kind`, .*: column, time, hash, modulus, leave_one_out",
        ),
        ("attributes: [{name: a}]", "attributes.0: lacks `kind`, .*accepted: text, categorical"),
        ("attributes: [{name: a, kind: b}]", "attributes.0: there is no kind 'b'; accepted: 'text'"),
        ("attributes: {a: b}", r"attributes: expected a list, as in \[a, b\]"),
        ("name: 3", r"name: expected text; quotation marks make text of anything \(got 3\)"),
        ("work_dir: 3", r"work_dir: expected the name of a file or folder \(got 3\)"),
        ("work_dir: ''", "work_dir: is empty: give a value, or leave it out"),
        ("seed: true", r"seed: expected a number \(got True\)"),
        ("evaluation: {ks: [5, x, true]}", r"ks\.2: expected a number(.|\n)*ks\.1: .*valid integer"),
        ("3: 4", r"  - 3: there is no such setting \(got 3\)"),
    ],
)
def test_mistakes_are_told_in_words_of_the_file(tmp_path: Path, text: str, message: str) -> None:
    key = text.partition(":")[0]
    kept = [line for line in SHOP.splitlines() if not line.startswith(f"{key}:")]
    (tmp_path / "c.yaml").write_text("\n".join([*kept, text]))
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(tmp_path / "c.yaml")
    assert "dictionary" not in str(caught.value) and "discriminator" not in str(caught.value)


def test_settings_without_key_or_value_are_told_together() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_overrides(["=3", "a", "a..b=3", ".=3", "a=[", "training.epochs=1"])
    lines = str(caught.value).splitlines()
    for setting in ("=3", "a", "a..b=3", ".=3"):
        assert f"--set {setting}: expected KEY=VALUE, as in training.epochs=3" in lines
    assert any(line.startswith("--set a=[: the value cannot be parsed: ") for line in lines)


def test_a_message_does_not_blame_the_file_alone_for_settings_of_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP)
    with pytest.raises(ConfigError, match=r"shop\.yaml with --set: 1 mistake in the configuration"):
        load_config(tmp_path / "shop.yaml", {"training.epochs": -3})
    (tmp_path / "shop.yaml").write_text(SHOP + "training: {epochs: -3}\n")
    with pytest.raises(ConfigError, match=r"shop\.yaml: 1 mistake in the configuration"):
        load_config(tmp_path / "shop.yaml")
    assert load_config(tmp_path / "shop.yaml", {"training.epochs": 3}).training.epochs == 3


def test_a_setting_that_is_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_overrides(["training.epochs=3", "seed=1", "training.epochs=4"])
    told = "--set training.epochs=4: training.epochs is set before; say once which value is meant"
    assert str(caught.value) == told


def test_a_setting_without_a_value_is_none(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(SHOP + "training: {max_steps: 3}\n")
    config = load_config(tmp_path / "c.yaml", parse_overrides(["training.max_steps="]))
    assert config.training.max_steps is None
    with pytest.raises(ConfigError, match="valid integer"):
        load_config(tmp_path / "c.yaml", parse_overrides(["training.epochs="]))


def test_home_is_where_paths_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    data = "data: {source: tables, interactions: ~/in.csv, items: items.csv}\nwork_dir: ~/results\n"
    (tmp_path / "c.yaml").write_text(SHOP + data)
    config = load_config(tmp_path / "c.yaml")
    assert config.work_dir == tmp_path / "me" / "results"
    assert (config.data.interactions, config.data.items) == (
        tmp_path / "me" / "in.csv",
        tmp_path / "items.csv",
    )


def test_settings_of_a_command_line_are_yaml() -> None:
    settings = parse_overrides(["training.epochs=3", "model.inputs=[title]", "name=a=b"])
    assert settings == {"training.epochs": 3, "model.inputs": ["title"], "name": "a=b"}
    wrong = {"training.epochs": "expected KEY=VALUE", "name=[": "cannot be parsed"}
    for setting, message in {**wrong, f"seed={'9' * 5000}": "cannot be read as float"}.items():
        with pytest.raises(ConfigError, match=message):
            parse_overrides([setting])
    with pytest.raises(
        ConfigError, match=r"replaces data\.split\.test_share, which is set before: set data\.split"
    ):
        parse_overrides(["data.split.test_share=0.3", "data.split={kind: time}"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            (text, text)
            for text in ("#", "|", ",", "%d.%m.%Y %H:%M", "carts #2.csv", "a: b", "*.csv", "\t", "-")
        ),
        *(("3", 3), (" 3 ", 3), ("1e-3", 0.001), ("true", True), ("no", "no"), ("", None), ("null", None)),
        *(("[a, 3]", ["a", 3]), ("{kind: time}", {"kind": "time"}), ("'3'", "3"), ('"#"', "#")),
    ],
)
def test_a_value_goes_on_to_its_end(text: str, value: object) -> None:
    """To YAML "#" is a comment, which left the separator unset without a word."""
    assert parse_overrides([f"key={text}"]) == {"key": value}


@pytest.mark.parametrize(
    "text",
    [
        "08",
        "083",
        "1e3",
        "07E5",
        "-.5",
        ".1e4",
        "0x1F",
        "no",
        "12:30",
        "2024-01-01",
        "null",
        "",
        "a: b",
        "- x",
        "#",
    ],
)
def test_a_text_is_written_so_that_either_yaml_reads_a_text(text: str) -> None:
    for value in (text, [text, 1], {"column": text, "gap": 1.5, "all": True, "none": None}):
        written = write_value(value)
        assert parse_yaml(written, "it") == value == yaml.safe_load(written)


@pytest.mark.parametrize(
    ("name", "message"), [("base.yml", r"/base\.yml: no such file$"), ("", "name of one")]
)
def test_the_file_that_extends_a_missing_one_is_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "child.yaml").write_text(f"extends: '{name}'\n")
    with pytest.raises(ConfigError, match=rf"child\.yaml: extends: .*{message}"):
        load_config(tmp_path / "child.yaml")


def test_a_section_of_another_kind_takes_the_place_of_the_one_it_extends(tmp_path: Path) -> None:
    """What the first kind was told means nothing to the second."""
    shares = "kind: time, test_share: 0.2, valid_share: 0.2"
    (tmp_path / "base.yaml").write_text(f"{SHOP}data: {{chunk_sessions: 7, split: {{{shares}}}}}\n")
    child = tmp_path / "child.yaml"
    child.write_text(
        "extends: base.yaml\ndata: {split: {kind: leave_one_out}}\nevaluation: {prefixes: last}\n"
    )
    found = load_config(child).data
    assert (found.split.kind, found.chunk_sessions) == ("leave_one_out", 7)
    child.write_text("extends: base.yaml\ndata: {split: {kind: time, test_share: 0.3}}\n")
    assert load_config(child).data.split.model_dump() == {
        "kind": "time",
        "test_share": 0.3,
        "valid_share": 0.2,
    }


def test_data_of_another_source_take_the_place_of_those_they_extend(tmp_path: Path) -> None:
    own = "data: {source: tables, interactions: a.csv, items: b.csv}\n"
    child = tmp_path / "child.yaml"
    child.write_text(f"extends: base.yaml\n{own}")
    for source, chunks in (("source: complete_journey, options: {households: 9}, ", 200_000), ("", 7)):
        (tmp_path / "base.yaml").write_text(f"{SHOP}data: {{{source}chunk_sessions: 7}}\n")
        found = load_config(child).data
        assert (found.source, found.chunk_sessions) == ("tables", chunks)
