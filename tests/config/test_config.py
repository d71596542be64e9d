import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.config import VARIANTS, load_config, restore_config
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.readers import AnyData

ATTRIBUTES = [
    {"name": "title", "kind": "text"},
    {"name": "category", "kind": "categorical"},
]


def write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


SOURCES = ", ".join(
    f"'{get_args(reader.model_fields['source'].annotation)[0]}'" for reader in get_args(get_args(AnyData)[0])
)
SHIPPED = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def test_the_configurations_that_ship_are_found() -> None:
    assert {"complete_journey", "diginetica", "instacart", "paper"} <= {path.stem for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
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
    assert "data.interactions: Field required" in message
    assert "model.widht: there is no such setting; accepted: width, inputs, dim_per_value" in message
    assert "(got 64)" in message
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
        ({"attributes": [{"name": "image", "kind": "vector"}]}, r"attributes\.0\.size: Field required"),
        (
            {"attributes": [{"name": "meaning", "kind": "sentence", "size": 8}]},
            r"attributes\.0\.size: there is no such setting; accepted: name, kind, column, dim \(got 8\)",
        ),
        ({"attributes": [{"name": ITEM_ID, "kind": "categorical"}]}, "'item_id' is reserved"),
        ({"attributes": [{**ATTRIBUTES[0], "column": "@listed"}]}, "'@listed' is reserved"),
        (
            {"attributes": [{"name": "id_text", "kind": "text", "column": "item_id"}]},
            "attribute 'id_text' reads 'item_id': item ids are never features",
        ),
        (
            {
                "attributes": [
                    {"name": "a", "kind": "text", "shared_vocabulary": "b"},
                    {"name": "b", "kind": "text", "shared_vocabulary": "a"},
                ]
            },
            "shared_vocabulary goes round in a circle: a -> b -> a",
        ),
        (
            {"attributes": [ATTRIBUTES[1], {"name": "a", "kind": "text", "shared_vocabulary": "category"}]},
            "attribute 'a' shares the vocabulary of 'category': not a text attribute",
        ),
        ({"attributes": [{"name": "labels", "kind": "categorical"}]}, "'labels' is reserved"),
        ({"attributes": [{"name": "a__values", "kind": "numeric"}]}, "'a__values' is reserved"),
        ({"model": {"width": 20}}, r"width 20 is not a multiple of session\.heads 8"),
        ({"data": {"split": {"kind": "modulus", "test": [1], "valid": [1]}}}, "share a remainder"),
        ({"data": {"split": {"kind": "alphabet"}}}, "'column', 'time', 'hash', 'modulus', 'leave_one_out'"),
        ({"data": {"split": {"kind": "leave_one_out"}}}, "set evaluation.prefixes: last"),
        (
            {"data": {"source": "synthetic", "split": {"kind": "column"}}},
            "split.kind 'column' needs a column that names the split, and 'synthetic' has none",
        ),
        (
            {"data": {"source": "tables", "interactions": "a", "items": "b", "split": {"kind": "column"}}},
            r"needs columns\.split: the column that names the split",
        ),
        ({"data": {"folder": "x"}}, r"data\.folder: there is no such setting; accepted: source, split"),
        ({"data": {"columns": {"order": "t"}}}, r"data\.columns: there is no such setting"),
        (
            {"data": {"source": "synthetic", "options": {"n_session": 3}}},
            r"data\.options\.n_session: .*n_items",
        ),
        ({"data": {"source": "tsv"}}, f"no source 'tsv'; accepted: {SOURCES}"),
        ({"data": {"min_session_length": 9, "max_session_length": 8}}, "9 is above max_session_length 8"),
        ({"data": {"split": {"kind": "hash", "test_share": 0.5, "valid_share": 0.5}}}, "nothing to train on"),
        (
            {"data": {"split": {"kind": "modulus", "test": []}}},
            r"data\.split\.test: List should have at least 1",
        ),
        (
            {"data": {"split": {"kind": "modulus", "modulus": 3, "test": [0], "valid": [1, 2]}}},
            "leave nothing to train on",
        ),
        (
            {"attributes": [{"name": "a", "kind": "text", "log": True}]},
            r"attributes\.0\.log: there is no such",
        ),
        ({"attributes": [{"name": "a", "kind": "numeric", "separator": ","}]}, r"attributes\.0\.separator: "),
        ({"attributes": [{"name": "a", "kind": "text", "pair_buckets": 1}]}, "0 for none, or at least 2"),
        ({"model": {"inputs": []}}, r"model\.inputs: List should have at least 1"),
        ({"model": {"inputs": ["title", "title"]}}, r"inputs names \['title'\] more than once"),
        (
            {"model": {"next_attributes": [{"attribute": "category"}] * 2}},
            r"next_attributes names \['category'\] more than once",
        ),
        (
            {"model": {"next_attributes": [{"attribute": "a"}, {"attribute": "a_probabilities"}]}},
            "next_attributes names 'a' and 'a_probabilities', whose answers are called alike",
        ),
        ({"model": {"next_attributes": [{"attribute": "item"}]}}, "names 'item', .* give .* column: item"),
        ({"model": {"min_dim": 64, "max_dim": 32}}, "min_dim 64 is above max_dim 32"),
        ({"evaluation": {"ks": []}}, r"evaluation\.ks: List should have at least 1"),
        ({"evaluation": {"ks": [0, -3]}}, r"evaluation\.ks\.1: Input should be greater than or equal to 1"),
        ({"evaluation": {"ks": [5, 5]}}, r"ks \[5, 5\] repeats a cut-off"),
        ({"evaluation": {"bootstrap_samples": 1}}, "bootstrap_samples 1 has no interval"),
        ({"evaluation": {"baselines": ["popularity"] * 2}}, "repeats one"),
        (
            {"evaluation": {"baselines": ["oracle", "popularity", "luck"]}},
            r"baselines\.0: .*'popularity', .* or 'content_knn' \(got 'oracle'\)\n.*\(got 'luck'\)",
        ),
        (
            {"serving": {"index": "oracle"}},
            r"serving\.index: .* 'auto', 'ivf'.* \(got 'oracle'\)",
        ),
        ({"serving": {"http_port": 8001}}, r"need different ports, not \[8001, 8001, 8002\]"),
        ({"training": {"learning_rate": float("inf")}}, r"training\.learning_rate: Input should be a finite"),
        ({"seed": -1}, "seed: Input should be greater than or equal to 0"),
        ({"variant": "trec_id-../../escaped"}, "variant: .*may follow trec_id-"),
        ({"variant": "trec_id-"}, "variant: .*may follow trec_id-"),
        ({"variant": "nonsense"}, "variant: no variant 'nonsense'; accepted: m2trec, metrec"),
    ],
)
def test_values_that_contradict_each_other(tmp_path: Path, section: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "c.yaml", {"name": "shop", "attributes": ATTRIBUTES, **section})
    with pytest.raises(ConfigError, match=message):
        load_config(path)


@pytest.mark.parametrize(
    ("model", "warning"),
    [
        ({"next_item": {"head": "softmax", "residual": False}}, "residual has no effect with head 'softmax'"),
        ({"next_item": {"similarity": "dot", "temperature": 0.1}}, "temperature has no effect with head"),
        ({"next_item": {"loss": "full", "negatives": 100}}, "negatives has no effect .* and loss 'full'"),
        (
            {"next_item": {"residual": False, "popularity_bias": False, "residual_dropout": 0.2}},
            "residual_dropout has no effect",
        ),
        ({"near_items": 5}, r"^model\.near_items has no effect: this model reads no item ids"),
        ({"id_dropout": 0.2}, r"^model\.id_dropout has no effect: this model reads no item ids"),
    ],
)
def test_settings_without_effect_are_said(tmp_path: Path, model: dict[str, Any], warning: str) -> None:
    content = {"name": "shop", "attributes": ATTRIBUTES, "model": model}
    config = load_config(write(tmp_path / "c.yaml", content))
    (line,) = config.warnings()
    assert re.search(warning, line)
    # What a variant overrides is no fault of the file.
    assert config.with_variant("trec_id").warnings() == []
    if "next_item" not in model:
        assert config.with_variant("m2trec_id").warnings() == []


def test_defaults_have_nothing_to_be_warned_of(tmp_path: Path) -> None:
    for path in SHIPPED:
        # One has another head than the file that it extends, the others settings of ids for their variants.
        if path.stem != "paper" and not path.stem.startswith("diginetica_"):
            assert load_config(path).warnings() == []
    content = {"name": "shop", "attributes": ATTRIBUTES}
    path = write(tmp_path / "c.yaml", content)
    assert load_config(path, {"evaluation.bootstrap_samples": 0}).warnings() == [
        "evaluation.bootstrap_samples is 0: results have no intervals"
    ]
    assert load_config(path, {"training.checkpoint_steps": 9, "training.max_steps": 5}).warnings() == [
        "training.checkpoint_steps 9 is never reached: training.max_steps is 5"
    ]


def test_a_variant_is_applied_wherever_it_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", {"name": "shop", "attributes": ATTRIBUTES})
    by_setting = load_config(path, {"variant": "trec_id"})
    assert by_setting.model.next_item.head == "softmax"
    assert by_setting.model_directory == Path("runs/shop/variants/trec_id")
    in_file = write(tmp_path / "v.yaml", {"extends": "c.yaml", "variant": "trec_id"})
    assert load_config(in_file) == by_setting
    assert load_config(in_file, {"variant": "m2trec"}) == load_config(path)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_saved_variant_comes_back_as_it_was(tmp_path: Path, variant: str) -> None:
    content = {"name": "shop", "attributes": ATTRIBUTES, "model": {"next_item": {"residual_dropout": 0.2}}}
    config = load_config(write(tmp_path / "c.yaml", content), {"variant": variant})
    assert restore_config(config.model_dump(mode="json")) == config
    assert config.with_variant(variant) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b\n", r"'name' stands there twice\n.*line 2"),
        (
            "name: a\ntraining: {epochs: 1}\ntraining: {epochs: 2}\n",
            r"'training' stands there twice\n.*line 3",
        ),
        ("training:\n  epochs: 1\n  epochs: 2\n", r"'epochs' stands there twice\n.*line 3"),
    ],
)
def test_a_setting_stands_once(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_a_file_of_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes("name: Möbel\n".encode("cp1252"))
    with pytest.raises(ConfigError, match=r"c\.yaml: not UTF-8 \(byte 8"):
        load_config(path)


def test_settings_reach_into_lists_and_not_below_values(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", {"name": "shop", "attributes": ATTRIBUTES})
    assert load_config(path, {"attributes.0.column": "headline"}).attributes[0].column == "headline"
    assert load_config(path, {"model.session.layers": 1}).model.session.layers == 1
    for key, message in {
        "attributes.2.column": r"2 is no entry of a list of 2; they are counted from 0",
        "attributes.first.column": "first is no entry of a list of 2",
        "name.first": r"--set name\.first: name is 'shop', which holds no other settings",
    }.items():
        with pytest.raises(ConfigError, match=message):
            load_config(path, {key: "x"})


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


def test_extending_a_list_of_files_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", {"extends": ["b.yaml"]})
    with pytest.raises(ConfigError, match=r"a\.yaml: extends: expected the name of one file, found \['b"):
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
    with pytest.raises(ConfigError, match=r"c\.yaml: (cannot be parsed|expected settings)"):
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
    assert config.with_variant("m2trec") == config
    assert config.with_variant("metrec").model.next_attributes == []
    assert config.with_variant("trec_title").model.inputs == ["title"]
    mutrec = config.with_variant("mutrec_id").model
    assert (mutrec.inputs, mutrec.next_item.head) == ([ITEM_ID], "softmax")
    assert mutrec.next_attributes == config.model.next_attributes
    assert config.with_variant("trec_id").model.next_attributes == []
    both = config.with_variant("m2trec_id").model
    assert both.inputs == [ITEM_ID, *(attribute.name for attribute in config.attributes)]
    assert (both.next_item.head, both.next_item.residual) == ("metadata", False)
    with pytest.raises(ConfigError, match="no variant 'm3trec'; accepted: m2trec"):
        config.with_variant("m3trec")


def test_reading_a_configuration_loads_neither_a_model_nor_a_server() -> None:
    """It names kinds, baselines and indexes, and their modules wait for what they need until they work."""
    code = f"""
import sys
from m2trec_merlin.config import load_config
load_config({str(SHIPPED[0])!r})
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = {module.split(".")[0] for module in done.stdout.split()}
    assert {"pydantic", "pandas"} <= loaded
    assert not loaded & {"torch", "sklearn", "nvtabular", "merlin", "onnx", "onnxruntime", "tritonclient"}
