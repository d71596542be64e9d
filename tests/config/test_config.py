from pathlib import Path
from typing import Any

import pytest
import yaml

from m2trec_merlin.attributes import ITEM_ID
from m2trec_merlin.config import apply_variant, load_config
from m2trec_merlin.errors import ConfigError

ATTRIBUTES = [
    {"name": "title", "kind": "text"},
    {"name": "category", "kind": "categorical"},
]


def write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(Path("configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_config_that_ships_is_valid(path: Path) -> None:
    config = load_config(path)
    assert config.directory == Path("runs") / config.name


def test_all_mistakes_are_reported_at_once_with_what_was_found(tmp_path: Path) -> None:
    path = write(
        tmp_path / "c.yaml",
        {
            "name": "shop",
            "attributes": ATTRIBUTES,
            "data": {"source": "tables"},
            "model": {"widht": 64, "session": {"mode": "sideways"}},
            "training": {"epochs": 0},
        },
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert "c.yaml: 4 mistakes" in message
    assert "data: source 'tables' needs interactions and items" in message
    assert "model.widht: Extra inputs are not permitted (got 64)" in message
    assert "model.session.mode: Input should be 'causal' or 'bidirectional' (got 'sideways')" in message
    assert "training.epochs: Input should be greater than or equal to 1 (got 0)" in message


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"model": {"inputs": ["titel"]}}, r"model\.inputs names 'titel'; accepted: .*'category'.*'title'"),
        (
            {"model": {"next_attributes": [{"attribute": "title"}]}},
            r"'title', which is of kind text; accepted: \['category'\]",
        ),
        ({"attributes": [*ATTRIBUTES, ATTRIBUTES[0]]}, r"names \['title'\] occur more than once"),
        ({"attributes": [{"name": "image", "kind": "vector"}]}, r"attributes\.0\..*size: Field required"),
        (
            {"attributes": [{"name": "meaning", "kind": "sentence", "size": 8}]},
            r"attributes\.0\..*size: .*got 8",
        ),
        ({"attributes": [{"name": ITEM_ID, "kind": "categorical"}]}, "'item_id' is reserved"),
        ({"attributes": [{"name": "labels", "kind": "categorical"}]}, "'labels' is reserved"),
        ({"attributes": [{"name": "a__values", "kind": "numeric"}]}, "'a__values' is reserved"),
        ({"model": {"width": 20}}, r"width 20 is not a multiple of session\.heads 8"),
        ({"data": {"split": {"kind": "modulus", "test": [1], "valid": [1]}}}, "share a remainder"),
        ({"data": {"split": {"kind": "alphabet"}}}, "'column', 'time', 'hash', 'modulus'"),
    ],
)
def test_values_that_contradict_each_other(tmp_path: Path, section: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "c.yaml", {"name": "shop", "attributes": ATTRIBUTES, **section})
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_files_extend_each_other_and_settings_override_them(tmp_path: Path) -> None:
    write(
        tmp_path / "base.yaml",
        {"name": "base", "attributes": ATTRIBUTES, "training": {"epochs": 3, "batch_size": 64}},
    )
    child = write(
        tmp_path / "child.yaml", {"extends": "base.yaml", "name": "child", "training": {"epochs": 5}}
    )
    config = load_config(child, {"training.learning_rate": 0.5})
    assert (config.name, config.training.epochs, config.training.batch_size) == ("child", 5, 64)
    assert config.training.learning_rate == 0.5


def test_extending_in_a_circle_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", {"extends": "b.yaml"})
    write(tmp_path / "b.yaml", {"extends": "a.yaml"})
    with pytest.raises(ConfigError, match="goes round in a circle"):
        load_config(tmp_path / "a.yaml")


def test_data_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    data = {"source": "tables", "interactions": "in.csv", "items": "sub/items.csv"}
    path = write(tmp_path / "c.yaml", {"name": "shop", "attributes": ATTRIBUTES, "data": data})
    config = load_config(path)
    assert config.data.interactions == tmp_path / "in.csv"
    assert config.data.items == tmp_path / "sub" / "items.csv"


@pytest.mark.parametrize("content", ["a: [", "- a list", ""])
def test_files_that_are_no_settings(tmp_path: Path, content: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"c\.yaml: (cannot be parsed|expected a mapping)"):
        load_config(path)
    with pytest.raises(ConfigError, match="no such configuration file"):
        load_config(tmp_path / "missing.yaml")


def test_variants_change_inputs_and_tasks_only(tmp_path: Path) -> None:
    content = {
        "name": "shop",
        "attributes": ATTRIBUTES,
        "model": {"next_attributes": [{"attribute": "category"}]},
    }
    config = load_config(write(tmp_path / "c.yaml", content))
    assert apply_variant(config, "m2trec") == config
    assert apply_variant(config, "metrec").model.next_attributes == []
    assert apply_variant(config, "trec_title").model.inputs == ["title"]
    mutrec = apply_variant(config, "mutrec_id").model
    assert (mutrec.inputs, mutrec.next_item.head) == ([ITEM_ID], "softmax")
    assert mutrec.next_attributes == config.model.next_attributes
    assert apply_variant(config, "trec_id").model.next_attributes == []
    both = apply_variant(config, "m2trec_id").model
    assert both.inputs == [ITEM_ID, *(attribute.name for attribute in config.attributes)]
    assert (both.next_item.head, both.next_item.residual) == ("metadata", False)
    with pytest.raises(ConfigError, match="no variant 'm3trec'; accepted: m2trec"):
        apply_variant(config, "m3trec")
