"""Updates of some columns of items: the others stay as the export, or an earlier change, has them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.contract.catalogue import catalogue_folder
from m2trec_merlin.contract.checksums import seal
from m2trec_merlin.contract.names import PREDICT
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.version import ITEMS_AS_GIVEN
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
from m2trec_merlin.serving.export.run import export
from tests.serving.catalogue.test_run import NEW, SHOWN, Served
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


def test_an_export_without_the_tables_of_the_run_takes_whole_items_only(
    repository: Path, tmp_path: Path
) -> None:
    folder = version_folder(repository, PREDICT)
    (folder / ITEMS_AS_GIVEN).unlink()
    seal(folder)
    verbs = CatalogueVerbs(repository)
    price = table(tmp_path, pd.DataFrame({"item_id": ["sku-4"], "price": [0.5]}))
    with pytest.raises(ArtifactError, match=r"was made without data/items.parquet. Give all columns"):
        verbs.update(price)
    assert verbs.versions.numbers() == []
    assert verbs.update(table(tmp_path, raw_items().iloc[[4]])).number == 1
