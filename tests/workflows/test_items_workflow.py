from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from merlin.dag.executors import LocalExecutor
from merlin.dag.ops.concat_columns import ConcatColumns
from merlin.io import Dataset
from nvtabular.ops import AddTags, Rename

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.errors import ArtifactError, DataError
from m2trec_merlin.preprocessing.items import build_catalogue
from m2trec_merlin.workflows.items import encode_items, items_workflow
from m2trec_merlin.workflows.storage import load_workflow


@pytest.fixture(scope="module")
def built(tmp_path_factory, write, configure):
    """The catalogue of the tiny run, built once: (folder, raw items)."""
    folder = tmp_path_factory.mktemp("tiny")
    data = write(folder)
    build_catalogue(configure(folder), data, folder / "out")
    return folder / "out", pq.read_table(data / "items.parquet").to_pylist()


def rows(folder) -> pd.DataFrame:
    return pq.read_table(folder / "catalogue" / "items.parquet").to_pandas()


def test_rows_follow_training_counts_then_the_source(built):
    table = rows(built[0])
    assert list(table["item_id"]) == [11, 10, 12, 13, 14]
    assert list(table["train_count"]) == [2, 1, 1, 0, 0], "an event of 11 is cut"
    assert list(table["known_count"]) == [3, 1, 1, 1, 0], "validation holds 11 and 13"


def test_values_are_known_from_training_items_only(built):
    catalogue = Catalogue.load(built[0] / "catalogue")
    # Maker 7 occurs twice among the items seen, 8 once, 9 on item 13 only; item 14 has none.
    assert list(catalogue.attributes["brand"].values) == [1, 4, 3, 3, 2, 1]
    assert catalogue.category_names("brand") == ["<padding>", "<missing>", "<other>", "7", "8"]
    # The tags of 11, 10, 12 (none), 13 (cut to two) and 14 (none); all seen once, so in alphabetical order.
    assert catalogue.category_names("tags")[3:] == ["drink", "fresh", "fruit"]
    tags = catalogue.attributes["tags"]
    assert list(tags.values) == [1, 3, 5, 4, 1, 3, 5, 1]
    assert list(tags.offsets) == [0, 1, 2, 4, 5, 7, 8]


def test_numbers_are_standardised_with_the_moments_of_training_items(built):
    logs = np.log1p([3.0, 1.0, 3.0])
    expected = (np.log1p([3.0, 1.0, 3.0, np.nan, 7.0]) - logs.mean()) / logs.std(ddof=1)
    assert rows(built[0])["price"].to_numpy() == pytest.approx(np.nan_to_num(expected), abs=1e-6)


def test_titles_are_lists_of_known_subwords(built):
    table = rows(built[0])
    catalogue = Catalogue.load(built[0] / "catalogue")
    size = catalogue.attributes["title"].field.size
    tokens = json.loads((built[0] / "catalogue" / "vocabularies" / "title.json").read_text())
    ids = tokens["model"]["vocab"]
    assert len(ids) == size
    assert [list(v) for v in table["title"][:3]] == [
        [ids["red"], ids["wine"]],
        [ids["red"], ids["apple"]],
        [1],
    ]
    assert list(table["title"][4]) == [1]
    assert ids["<other>"] == 2 and 2 in table["title"][3]
    assert "juice" not in ids


def test_vectors_are_of_one_size(built):
    assert np.stack(rows(built[0])["picture"]).tolist() == [[0, 1], [1, 0], [0, 0], [0.5, 0.5], [0, 2]]
    column = Catalogue.load(built[0] / "catalogue").attributes["picture"]
    assert column.values.shape == (6, 2)


def test_the_display_table_holds_what_a_person_reads(built):
    display = Catalogue.load(built[0] / "catalogue").display()
    assert list(display.columns) == ["item_id", "title", "brand", "tags", "price"]
    assert list(display["item_id"]) == [11, 10, 12, 13, 14]
    assert list(display["title"]) == ["Red wine", "Red apple", "", "Green apple juice", ""]
    assert list(display["brand"][:2]) == [8.0, 7.0]


def test_one_raw_item_is_encoded_as_in_the_catalogue(built):
    """What the server computes from raw attributes equals the catalogue, bit by bit, for every item."""
    folder, items = built
    workflow = load_workflow(folder / "items_workflow")
    table = rows(folder).set_index("item_id")
    for raw in items:
        for item in (raw, json.loads(json.dumps(raw))):
            encoded = encode_items(workflow, pd.DataFrame([item])).iloc[0]
            for name in ("title", "tags", "picture"):
                assert encoded[name].tobytes() == table.loc[raw["item_id"], name].tobytes()
            assert encoded["brand"] == table.loc[raw["item_id"], "brand"]
            assert np.float32(encoded["price"]).tobytes() == table.loc[raw["item_id"], "price"].tobytes()


def test_merlin_walks_the_graph_to_the_same_end(built, monkeypatch):
    """Upstream: its executor makes a frame for each node, also for those that only rename or tag."""
    workflow = load_workflow(built[0] / "items_workflow")
    raw = pd.DataFrame(built[1])[workflow.input_schema.column_names]
    walked = []
    run_node = LocalExecutor._run_node_transform
    monkeypatch.setattr(
        LocalExecutor,
        "_run_node_transform",
        lambda self, node, *rest: walked.append(node.op) or run_node(self, node, *rest),
    )
    expected = workflow.transform(raw)
    assert sum(isinstance(op, Rename | AddTags | ConcatColumns) for op in walked) > len(walked) / 3
    walked.clear()
    pd.testing.assert_frame_equal(encode_items(workflow, raw), expected)
    assert not walked


def test_a_workflow_that_is_fitted_again_encodes_by_what_it_learned_last(tmp_path):
    workflow = items_workflow([parse_attribute(name="brand", kind="categorical")], tmp_path)
    for brands in (["a", "b"], ["c", "b"]):
        items = pd.DataFrame({ITEM_ID: ["1", "2"], "brand": brands})
        workflow.fit(Dataset(items))
        pd.testing.assert_frame_equal(encode_items(workflow, items), workflow.transform(items))


def test_one_item_and_many_are_encoded_alike(built):
    workflow = load_workflow(built[0] / "items_workflow")
    random = np.random.default_rng(0)
    raw = pd.DataFrame({"price": random.lognormal(size=50), "maker": random.integers(6, 10, 50)})
    together = encode_items(workflow, raw)
    one_by_one = pd.concat([encode_items(workflow, raw.iloc[[i]]) for i in range(len(raw))])
    assert together["price"].to_numpy().tobytes() == one_by_one["price"].to_numpy().tobytes()
    assert list(together["brand"]) == list(one_by_one["brand"])


def test_what_a_request_lacks_is_missing_and_what_it_adds_is_ignored(built):
    workflow = load_workflow(built[0] / "items_workflow")
    encoded = encode_items(workflow, pd.DataFrame([{"maker": "8", "colour": "red"}, {"maker": 8}]))
    assert list(encoded["brand"]) == [4, 4]
    assert [list(v) for v in encoded["title"]] == [[1], [1]]
    assert list(encoded["price"]) == [0.0, 0.0]
    assert [list(v) for v in encoded["picture"]] == [[0, 0], [0, 0]]


def test_no_items_are_no_rows(built):
    workflow = load_workflow(built[0] / "items_workflow")
    encoded = encode_items(workflow, pd.DataFrame({"title": []}))
    assert len(encoded) == 0 and set(encoded.columns) >= {"title", "brand", "tags", "price", "picture"}


def test_a_vector_of_another_size_in_a_request_is_refused(built):
    workflow = load_workflow(built[0] / "items_workflow")
    with pytest.raises(DataError, match="attribute 'picture'"):
        encode_items(workflow, pd.DataFrame([{"picture": [1.0, 2.0, 3.0]}]))


def test_the_merlin_schema_tells_ids_from_features(built):
    schema = load_workflow(built[0] / "items_workflow").output_schema
    tags = {name: {tag.value for tag in schema[name].tags} for name in schema.column_names}
    assert tags["item_id"] == {"item", "id"}
    assert {"item", "categorical"} <= tags["brand"]
    assert {"item", "tokenized", "list"} <= tags["title"]
    assert {"item", "continuous"} <= tags["price"]
    assert {"item", "embedding"} <= tags["picture"]


def test_all_problems_of_the_items_are_reported_at_once(tmp_path, write, configure):
    items = pd.DataFrame(
        {
            "item_id": [1, 2],
            "title": [["a"], ["b"]],
            "price": ["1.0", "cheap"],
            "picture": [[1.0], [1.0, 2.0]],
            "weight": [1.0, -2.0],
        }
    )
    config = configure(
        tmp_path,
        [
            {"name": "title", "kind": "text"},
            {"name": "brand", "kind": "categorical"},
            {"name": "price", "kind": "numeric"},
            {"name": "weight", "kind": "numeric", "log": True},
            {"name": "picture", "kind": "vector", "size": 2},
        ],
    )
    sessions = {"train": {"a": [1, 2]}, "valid": {"b": [1, 2]}, "test": {"c": [1, 2]}}
    with pytest.raises(DataError) as caught:
        build_catalogue(config, write(tmp_path, items, sessions), tmp_path / "out")
    text = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 5
    assert "column 'title': is a list, not a single value (attribute 'title') in 2 rows: row 1" in text
    assert "no column 'brand', which attribute 'brand' reads; there are item_id, title, price" in text
    assert "is not a finite number (attribute 'price') in 1 row: row 2 ('cheap')" in text
    assert "is below 0, and log needs numbers of at least 0 (attribute 'weight') in 1 row: row 2" in text
    assert "is not of length 2 (attribute 'picture') in 1 row: row 1 (1)" in text


def test_training_without_any_known_item_is_refused(tmp_path, write, configure):
    data = write(tmp_path, sessions={"train": {"a": [98, 99]}, "valid": {"b": [98]}})
    with pytest.raises(DataError, match=r"no item of items\.parquet occurs in the training sessions"):
        build_catalogue(configure(tmp_path), data, tmp_path / "out")


def test_missing_interactions_are_named(tmp_path, write, configure):
    data = write(tmp_path, sessions={"valid": {"a": [10, 11]}})
    with pytest.raises(ArtifactError, match=r"train holds no part-\*\.parquet: run `m2trec data` again"):
        build_catalogue(configure(tmp_path), data, tmp_path / "out")


def test_texts_can_share_a_vocabulary(tmp_path, write, configure):
    items = pd.DataFrame({"item_id": [1, 2], "title": ["low", "low"], "about": ["new low", "wide"]})
    attributes = [
        {"name": "title", "kind": "text", "vocabulary_size": 50},
        {"name": "about", "kind": "text", "shared_vocabulary": "title", "max_tokens": 1},
    ]
    sessions = {"train": {"a": [1, 2]}, "valid": {"b": [1]}}
    build_catalogue(configure(tmp_path, attributes), write(tmp_path, items, sessions), tmp_path / "out")
    catalogue = Catalogue.load(tmp_path / "out" / "catalogue")
    sizes = {a.field.size for a in catalogue.attributes.values()}
    assert len(sizes) == 1
    ids = json.loads((tmp_path / "out" / "catalogue" / "vocabularies" / "title.json").read_text())["model"][
        "vocab"
    ]
    assert list(catalogue.attributes["about"].values) == [1, ids["new"], ids["wide"]]


def test_attributes_may_share_and_swap_columns(tmp_path, write, configure):
    items = pd.DataFrame({"item_id": [1, 2], "x": ["a", "b"], "y": ["c", "d"]})
    attributes = [
        {"name": "x", "kind": "categorical", "column": "y"},
        {"name": "y", "kind": "categorical", "column": "x"},
        {"name": "x_text", "kind": "text", "column": "x"},
    ]
    sessions = {"train": {"s": [1, 2]}, "valid": {"v": [2]}}
    build_catalogue(configure(tmp_path, attributes), write(tmp_path, items, sessions), tmp_path / "out")
    catalogue = Catalogue.load(tmp_path / "out" / "catalogue")
    assert catalogue.category_names("x")[3:] == ["c", "d"]
    assert catalogue.category_names("y")[3:] == ["a", "b"]
    assert {len(ids) for ids in rows(tmp_path / "out")["x_text"]} == {1}


def test_attributes_without_any_value_still_work(tmp_path, write, configure):
    items = pd.DataFrame(
        {"item_id": ["p", "q"], "brand": [None, None], "tags": [None, None], "price": [None, None]}
    )
    kinds = {"brand": "categorical", "tags": "multi_categorical", "price": "numeric"}
    attributes = [{"name": name, "kind": kind} for name, kind in kinds.items()]
    sessions = {"train": {"s": ["p", "q"]}, "valid": {"v": ["p"]}}
    build_catalogue(configure(tmp_path, attributes), write(tmp_path, items, sessions), tmp_path / "out")
    catalogue = Catalogue.load(tmp_path / "out" / "catalogue")
    assert list(catalogue.item_ids) == ["", "p", "q"]
    assert list(catalogue.attributes["brand"].values) == [1, 1, 1]
    assert list(catalogue.attributes["tags"].values) == [1, 1, 1]
    assert list(catalogue.attributes["price"].values) == [0, 0, 0]
    workflow = load_workflow(tmp_path / "out" / "items_workflow")
    assert encode_items(workflow, pd.DataFrame([{"brand": "new", "tags": "new"}]))["brand"].tolist() == [2]


def test_parts_do_not_change_the_catalogue(tmp_path, write, configure, monkeypatch):
    data = write(tmp_path)
    build_catalogue(configure(tmp_path), data, tmp_path / "whole")
    monkeypatch.setattr("m2trec_merlin.attributes.base.Attribute.items_at_a_time", 1)
    build_catalogue(configure(tmp_path), data, tmp_path / "parts")
    for name in ("catalogue/schema.json", "catalogue/vocabularies/title.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    pd.testing.assert_frame_equal(rows(tmp_path / "whole"), rows(tmp_path / "parts"))


@pytest.mark.parametrize("log", [False, True])
def test_numbers_are_told_in_units_of_their_column(tmp_path, log):
    price = parse_attribute(name="price", kind="numeric", log=log)
    table = pd.DataFrame({"item_id": ["a", "b", "c"], "price": [1.5, 20.0, 300.0]})
    workflow = items_workflow([price], tmp_path).fit(Dataset(table))
    encoded = encode_items(workflow, table)["price"].to_numpy()
    np.testing.assert_allclose(price.raw_numbers(encoded, workflow), [1.5, 20, 300], rtol=1e-5)
