"""Saved items workflows; that each kind of attribute comes back as it was is in its contract."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from merlin.io import Dataset
from nvtabular import ColumnSelector, Workflow
from nvtabular.ops import Normalize

from m2trec_merlin import merlin_adapter
from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.workflows.items import encode_items, items_workflow
from m2trec_merlin.workflows.sessions import events_workflow
from m2trec_merlin.workflows.storage import load_workflow, save_workflow

ATTRIBUTES = [
    parse_attribute(name="title", kind="text"),
    parse_attribute(name="about", kind="text", shared_vocabulary="title", max_tokens=2),
    parse_attribute(name="brand", kind="categorical"),
    parse_attribute(name="price", kind="numeric"),
]
ITEMS = pd.DataFrame(
    {
        "item_id": [1, 2, 3],
        "title": ["red wine", "red apple", None],
        "about": ["a red wine", "an apple", "wine"],
        "brand": ["a", "b", "b"],
        "price": [0.1, 0.7, 3.3],
    }
)
FILES = [
    *("Categories/brand.parquet", "Standardise/price.json"),
    *("SubwordTokenize/about.json", "SubwordTokenize/title.json", "workflow.json"),
]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_workflow(fitted(tmp_path, ITEMS), ATTRIBUTES, tmp_path / "saved")
    return tmp_path / "saved"


def fitted(folder: Path, items: pd.DataFrame) -> Workflow:
    return items_workflow(ATTRIBUTES, folder / "vocabularies").fit(Dataset(items))


def test_what_each_operator_learned_lies_in_a_file_a_column(saved: Path) -> None:
    assert sorted(str(p.relative_to(saved)) for p in saved.rglob("*") if p.is_file()) == FILES


def test_it_encodes_as_before_and_needs_its_files_no_more(saved: Path, tmp_path: Path) -> None:
    loaded = load_workflow(saved.rename(saved.with_name("moved")))
    shutil.rmtree(saved.with_name("moved"))
    expected = encode_items(fitted(tmp_path / "again", ITEMS), ITEMS)
    pd.testing.assert_frame_equal(encode_items(loaded, ITEMS), expected)


def test_another_workflow_in_the_same_place_is_another_one(saved: Path, tmp_path: Path) -> None:
    assert encode_items(load_workflow(saved), ITEMS)["brand"].tolist() == [4, 3, 3]
    shutil.rmtree(saved)
    save_workflow(fitted(tmp_path / "other", ITEMS.assign(brand=["a", "a", "b"])), ATTRIBUTES, saved)
    assert encode_items(load_workflow(saved), ITEMS)["brand"].tolist() == [3, 4, 4]


@pytest.mark.parametrize("damage", ["missing", "damaged"])
@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_cut_file_is_named(saved: Path, name: str, damage: str) -> None:
    content = (saved / name).read_bytes()
    (saved / name).unlink()
    if damage == "damaged":
        (saved / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match=rf"{name} is {damage}.*m2trec preprocess --force"):
        load_workflow(saved)


def test_settings_of_no_kind_are_a_damaged_file(saved: Path) -> None:
    content = json.loads((saved / "workflow.json").read_text())
    content["attributes"][0]["kind"] = "os.system"
    (saved / "workflow.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match=r"workflow\.json is damaged"):
        load_workflow(saved)


def test_an_operator_that_does_not_say_what_it_learned_is_not_saved(tmp_path: Path) -> None:
    workflow = Workflow(ColumnSelector(["price"]) >> Normalize()).fit(Dataset(ITEMS))
    with pytest.raises(TypeError, match="Normalize learns, but has no write_learned"):
        save_workflow(workflow, ATTRIBUTES[-1:], tmp_path / "saved")


def test_scripts_from_before_find_it_where_it_was(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"workflow\.json"):
        merlin_adapter.load_workflow(tmp_path)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [attribute.name for attribute in ATTRIBUTES])
def test_one_attribute_alone_is_encoded_as_with_the_others(saved: Path, name: str) -> None:
    """As a server encodes values of events; a shared vocabulary comes along."""
    alone = load_workflow(saved, partial(events_workflow, only=[name]))
    together = {"title", "about"} if name in ("title", "about") else {name}
    assert set(alone.output_schema.column_names) == together
    found = encode_items(alone, ITEMS[[name]])
    expected = encode_items(load_workflow(saved), ITEMS)
    pd.testing.assert_series_equal(found[name], expected[name])
