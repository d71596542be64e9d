"""Updates of some columns of items: the others stay as the export, or an earlier change, has them."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.contract.catalogue import catalogue_folder
from m2trec_merlin.contract.checksums import seal
from m2trec_merlin.contract.item_format import ItemFormat
from m2trec_merlin.contract.names import PREDICT
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.version import ITEMS_AS_GIVEN
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.serving.catalogue.raw_items import as_raw, write_items_as_given
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
from m2trec_merlin.serving.client.requests import id_and_attributes
from m2trec_merlin.serving.export.run import export
from tests.serving.catalogue.test_run import NEW, SHOWN, Served
from tests.told import Told
from tests.worlds.shop import build_shop, raw_items


def table(folder: Path, items: pd.DataFrame) -> Path:
    items.to_parquet(folder / "items.parquet", index=False)
    return folder / "items.parquet"


def found(repository: Path) -> tuple[list[str], list[str]]:
    """Return the cheapest items, and their titles."""
    served = Served(repository)
    answer = served.ask(["sku-3"], filters={"price": {"max": 0.5}})
    served.close()
    return answer["recommended_ids"], answer["titles"]


@pytest.mark.parametrize("columns", [["price"], ["product_name", "tags"], ["image"], ["department", "price"]])
def test_it_is_an_update_of_all_to_the_bit(repository: Path, tmp_path: Path, columns: list[str]) -> None:
    other = Path(shutil.copytree(repository, tmp_path / "other"))
    items = pd.concat([raw_items().iloc[[4, 20, 2]], NEW.iloc[[1]]])
    changed = items.assign(
        product_name="silver cake",
        tags=[None, "local", "vegan", "local"],
        price=[0.5, None, 7.0, 2.0],
        department=["dairy", "dairy", None, "bakery"],
        image=[[1.0, 2.0, 3.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.5], [0.0, 2.0, 0.0]],
    )
    whole = items.assign(**{name: changed[name] for name in columns})
    for each, update in ((repository, changed[["item_id", *columns]]), (other, whole)):
        CatalogueVerbs(each).add(table(tmp_path, NEW))
        CatalogueVerbs(each).update(table(tmp_path, update))
    for name in SHOWN:
        some, all_ = (catalogue_folder(each) / "2" / name for each in (repository, other))
        assert some.read_bytes() == all_.read_bytes(), name


def test_updates_of_other_columns_add_up(repository: Path, tmp_path: Path) -> None:
    verbs, ids = CatalogueVerbs(repository), pd.DataFrame({"item_id": ["sku-4"]})
    verbs.update(table(tmp_path, ids.assign(product_name="silver cake")))
    verbs.update(table(tmp_path, ids.assign(price=0.5)))
    assert found(repository) == (["sku-4"], ["silver cake"])


def test_another_export_keeps_what_was_said_and_nothing_else(tmp_path: Path) -> None:
    """A price by hand does not bring back the title of before the next day's tables."""
    config, *_ = build_shop(tmp_path / "run")
    price = table(tmp_path, pd.DataFrame({"item_id": ["sku-4"], "price": [0.5]}))
    CatalogueVerbs(export(config)).update(price)
    items = tmp_path / "run" / "data" / "items.parquet"
    renamed = pd.read_parquet(items)
    renamed.loc[renamed["item_id"] == "sku-4", "product_name"] = "silver cake"
    renamed.to_parquet(items, index=False)
    assert found(export(config, force=True)) == (["sku-4"], ["silver cake"])


def test_an_export_without_the_tables_of_the_run_takes_whole_items_only(tmp_path: Path) -> None:
    config, *_ = build_shop(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "data")
    told = Told()
    verbs = CatalogueVerbs(export(config, progress=told))
    assert "data/items.parquet is not there, so the export holds no raw values" in told.text
    price = table(tmp_path, pd.DataFrame({"item_id": ["sku-4"], "price": [0.5]}))
    with pytest.raises(ArtifactError, match=r"was made without data/items.parquet. Give all columns"):
        verbs.update(price)
    assert verbs.versions.numbers() == []
    assert verbs.update(table(tmp_path, raw_items().iloc[[4]])).number == 1


def test_damaged_tables_of_the_run_are_named(tmp_path: Path) -> None:
    config, *_ = build_shop(tmp_path / "run")
    written = ItemFormat.open(version_folder(export(config), PREDICT))
    items = tmp_path / "run" / "data" / "items.parquet"
    content = bytearray(items.read_bytes())
    content[4:200] = bytes(196)
    items.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"(?s)data/items\.parquet .*: run `m2trec data --force`"):
        write_items_as_given(items, written, tmp_path)


def test_an_item_that_was_taken_out_and_added_again_follows_the_next_tables(tmp_path: Path) -> None:
    config, *_ = build_shop(tmp_path / "run")
    verbs = CatalogueVerbs(export(config))
    verbs.remove(["sku-4"])
    verbs.add(table(tmp_path, raw_items().iloc[[4]]))
    verbs.add(table(tmp_path, NEW))
    verbs.update(table(tmp_path, pd.DataFrame({"item_id": ["new-1"], "price": [0.25]})))
    assert verbs.summary(now=0).changed["added"] == ["sku-4", "new-1", "new-2", "new-3"]
    items = tmp_path / "run" / "data" / "items.parquet"
    later = pd.concat([pd.read_parquet(items), NEW])
    later.loc[later["item_id"] == "sku-4", ["product_name", "price"]] = "silver cake", 0.5
    shutil.move(config.directory / "triton", tmp_path / "kept")
    shutil.rmtree(tmp_path / "run")
    build_shop(tmp_path / "run", NEW)
    later.to_parquet(items, index=False)
    shutil.move(tmp_path / "kept", config.directory / "triton")
    repository = export(config, force=True)
    changes = CatalogueVerbs(repository).versions.changes(5)
    assert not changes.added and list(changes.updates) == ["new-1"]
    ids, titles = found(repository)
    assert dict(zip(ids, titles, strict=True)) == {"new-1": "purple bread 7"}, "its price was set by hand"


def test_changes_of_before_format_20_mean_what_they_meant(repository: Path, tmp_path: Path) -> None:
    """Items were said whole then, without the values that they lacked."""
    verbs = CatalogueVerbs(repository)
    verbs.add(table(tmp_path, NEW.iloc[:1]))
    verbs.update(table(tmp_path, raw_items().iloc[[4]].assign(price=None)))
    folder = catalogue_folder(repository) / "2"
    before = verbs.versions.changes(2)
    raw = {
        item_id: json.dumps({name: value for name, value in json.loads(said).items() if value is not None})
        for item_id, said in before.items.items()
    }
    ids = pd.read_parquet(folder / "raw_items.parquet")["item_id"]
    old = pd.DataFrame({"item_id": ids, "raw": [raw[item_id] for item_id in ids]})
    old.to_parquet(folder / "raw_items.parquet", index=False)
    seal(folder)
    read = CatalogueVerbs(repository).versions.changes(2)
    assert list(read.added) == ["new-1"] and list(read.updates) == ["sku-4"]
    assert json.loads(read.updates["sku-4"]) == json.loads(before.updates["sku-4"])


@pytest.mark.parametrize("decimal", [".", ","])
def test_decimals_are_numbers_whatever_begins_a_fraction(decimal: str) -> None:
    numeric = parse_attribute(name="price", kind="numeric", decimal=decimal)
    prices = pd.Series([Decimal("12.500"), Decimal("7.000"), None])
    raw = [json.loads(said)["price"] for said in as_raw(pd.DataFrame({"price": prices}))]
    assert raw == [12.5, 7, None]
    assert numeric.canonical(pd.Series(raw, dtype=object)).tolist()[:2] == [12.5, 7.0]
    assert id_and_attributes({"price": Decimal("12.500")}) == ("", '{"price": 12.5}')


def test_whole_numbers_beyond_64_bits_are_sent_as_they_are() -> None:
    """A column of such numbers with gaps has no type in Arrow; it was looked at again without end."""
    values: dict[str, list[object]] = {
        "code": [2**63 + 5, None, 2**70],
        "codes": [[2**64, 7, None], None, []],
    }
    frame = pd.DataFrame({name: pd.Series(each, dtype=object) for name, each in values.items()})
    raw = [json.loads(said) for said in as_raw(frame)]
    assert {name: [said[name] for said in raw] for name in values} == values


def test_an_update_reads_the_groups_of_rows_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("m2trec_merlin.serving.catalogue.raw_items._GROUP", 10)
    config, *_ = build_shop(tmp_path / "run")
    repository = export(config)
    file = pq.ParquetFile(version_folder(repository, PREDICT) / ITEMS_AS_GIVEN)
    assert (file.num_row_groups, file.metadata.num_rows) == (3, 30)
    two = pd.DataFrame({"item_id": ["sku-4", "sku-29"], "price": [0.5, 0.25]})
    CatalogueVerbs(repository).update(table(tmp_path, two))
    ids, titles = found(repository)
    assert dict(zip(ids, titles, strict=True)) == {"sku-4": "red bread 4", "sku-29": "green milk 4"}
