from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.errors import ArtifactError
from tests.worlds.checkerboard import make_catalogue

IDS = pa.int64()


def write_catalogue(
    folder: Path, columns: dict[str, tuple[str, pa.Array]], ids: pa.Array, counts=None
) -> Path:
    """Write a catalogue; `columns` maps a name to its layout and values."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = [1] * len(ids) if counts is None else counts
    table = {"item_id": ids, "train_count": pa.array(counts, pa.int64())}
    table |= {name: values for name, (_, values) in columns.items()}
    pq.write_table(pa.table(table), folder / "items.parquet", row_group_size=2)
    sizes = {"numbers": 1, "vectors": 2}
    schema = [
        {"name": name, "kind": "any", "layout": layout, "size": sizes.get(layout, 9)}
        for name, (layout, _) in columns.items()
    ]
    (folder / "schema.json").write_text(json.dumps({"titled": False, "attributes": schema}))
    return folder


@pytest.fixture
def folder(tmp_path):
    columns = {
        "title": ("id_lists", pa.array([[3, 4], [1], [5]], pa.list_(IDS))),
        "brand": ("ids", pa.array([3, 2, 1], IDS)),
        "price": ("numbers", pa.array([0.5, -1.0, 0.0], pa.float32())),
        "picture": ("vectors", pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], pa.list_(pa.float32(), 2))),
    }
    return write_catalogue(tmp_path / "catalogue", columns, pa.array(["a", "b", "c"]), [5, 2, 0])


def test_recent_counts_are_there_where_time_is_known(folder):
    assert Catalogue.load(folder).recent_counts is None
    table = pq.read_table(folder / "items.parquet")
    recent = pa.array([1, 1, 0], pa.int64())
    pq.write_table(table.append_column("recent_count", recent), folder / "items.parquet")
    assert Catalogue.load(folder).recent_counts.tolist() == [0, 1, 1, 0]


def test_row_zero_is_no_item(folder):
    catalogue = Catalogue.load(folder)
    assert (catalogue.n_rows, catalogue.n_seen) == (4, 2)
    assert list(catalogue.item_ids) == ["", "a", "b", "c"]
    assert list(catalogue.train_counts) == [0, 5, 2, 0]
    title, brand, price, picture = catalogue.attributes.values()
    assert (list(title.values), list(title.offsets)) == ([1, 3, 4, 1, 5], [0, 1, 3, 4, 5])
    assert list(brand.values) == [1, 3, 2, 1]
    assert list(price.values) == [0.0, 0.5, -1.0, 0.0]
    assert picture.values.tolist() == [[0, 0], [1, 2], [3, 4], [5, 6]]
    assert (title.values.dtype, price.values.dtype, picture.values.dtype) == ("int64", "float32", "float32")
    assert [c.field.size for c in catalogue.attributes.values()] == [9, 9, 1, 2]


def test_items_are_found_by_their_id_as_text(folder, tmp_path):
    assert list(Catalogue.load(folder).rows_of(["c", "zzz", "a"])) == [3, 0, 1]
    numbers = write_catalogue(tmp_path / "numbers", {}, pa.array([30, 10]))
    catalogue = Catalogue.load(numbers)
    assert list(catalogue.rows_of(["10", 30, 20, -1])) == [2, 1, 0, 0]
    assert catalogue.item_ids[0] == -1


@given(st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=4), min_size=1, max_size=7))
def test_lists_of_ids_are_read_as_they_were_written(tmp_path_factory, lists):
    column = {"tags": ("id_lists", pa.array(lists, pa.list_(IDS)))}
    folder = write_catalogue(tmp_path_factory.mktemp("catalogue"), column, pa.array(range(len(lists))))
    tags = Catalogue.load(folder).attributes["tags"]
    rows = [list(v) for v in np.split(tags.values, tags.offsets[1:-1])]
    assert rows == [[1], *lists]


def test_an_empty_list_is_refused(tmp_path):
    column = {"tags": ("id_lists", pa.array([[3], []], pa.list_(IDS)))}
    with pytest.raises(ArtifactError, match="'tags' has an empty list"):
        Catalogue.load(write_catalogue(tmp_path / "c", column, pa.array([1, 2])))


def test_missing_files_and_columns_are_named(folder):
    with pytest.raises(ArtifactError, match=r"schema\.json is missing"):
        Catalogue.load(folder.parent)
    schema = json.loads((folder / "schema.json").read_text())
    schema["attributes"].append({"name": "colour", "layout": "ids", "size": 4})
    (folder / "schema.json").write_text(json.dumps(schema))
    with pytest.raises(ArtifactError, match=r"lacks the attributes \['colour'\]"):
        Catalogue.load(folder)
    (folder / "items.parquet").unlink()
    with pytest.raises(ArtifactError, match=r"items\.parquet is missing: run `m2trec preprocess`"):
        Catalogue.load(folder)


def test_a_damaged_schema_is_named(folder):
    (folder / "schema.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"schema\.json is damaged"):
        Catalogue.load(folder)


def test_display_and_names_need_the_folder(folder):
    catalogue = Catalogue.load(folder)
    bare = Catalogue(catalogue.item_ids, catalogue.train_counts, catalogue.attributes)
    with pytest.raises(ArtifactError, match="no display table"):
        bare.display()
    with pytest.raises(ArtifactError, match="no vocabularies"):
        bare.category_names("brand")
    (folder / "vocabularies").mkdir()
    names = pa.table({"value": ["<padding>", "<missing>", "<other>", "acme"]})
    pq.write_table(names, folder / "vocabularies" / "brand.parquet")
    assert catalogue.category_names("brand")[3] == "acme"


def test_items_are_found_in_another_catalogue_by_their_ids() -> None:
    some, others = (make_catalogue([1] * len(ids), item_ids=ids) for ids in ([7, 3, 9], [9, 7, 5, 1]))
    assert some.rows_in(others).tolist() == [0, 2, 0, 1]
    assert others.rows_in(some).tolist() == [0, 3, 1, 0, 0]
