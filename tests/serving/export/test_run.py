from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.artifacts import MANIFEST
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.runs import Run
from m2trec_merlin.serving.export import run as exporting
from m2trec_merlin.serving.export.item_columns import item_columns
from m2trec_merlin.serving.export.run import export
from tests.told import Told
from tests.worlds.shop import N_ITEMS, Shop, shop_config


def test_a_second_export_has_nothing_to_do(shop: Shop) -> None:
    told = Told()
    written = (shop.repository / MANIFEST).stat().st_mtime_ns
    assert export(shop.config, progress=told) == shop.repository
    assert told.lines == [f"{shop.repository} is up to date"]
    assert (shop.repository / MANIFEST).stat().st_mtime_ns == written


def test_steps_that_have_not_run_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="m2trec preprocess"):
        export(shop_config(tmp_path))


def test_a_failing_export_leaves_the_earlier_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    work = shutil.copytree(shop.config.directory, tmp_path / "work")
    before = (work / "triton" / MANIFEST).read_text()

    def fail(*arguments: object) -> None:
        raise ArtifactError("the graphs differ")

    monkeypatch.setattr(exporting, "export_sessions", fail)
    with pytest.raises(ArtifactError, match="the graphs differ"):
        export(shop_config(work), force=True)
    assert (work / "triton" / MANIFEST).read_text() == before
    assert [p.name for p in work.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("damage", ["is altered", "is missing"])
def test_a_workflow_that_was_damaged_is_not_exported(shop: Shop, tmp_path: Path, damage: str) -> None:
    work = shutil.copytree(shop.config.directory, tmp_path / "work")
    path = work / "preprocessed" / "items_workflow" / "workflow.json"
    if damage == "is missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtifactError, match=rf"workflow\.json {damage}: run `m2trec preprocess --force`"):
        export(shop_config(work), force=True)


def test_raw_values_that_were_altered_are_not_exported(shop: Shop, tmp_path: Path) -> None:
    """They are what a later update of an item's price is joined with, and no longer what the model read."""
    work = shutil.copytree(shop.config.directory, tmp_path / "work")
    run = Run(shop_config(work))
    write_manifest(run.data, "data", {})
    items = pd.read_parquet(run.items)
    items.assign(price=items["price"] * 2).to_parquet(run.items, index=False)
    with pytest.raises(ArtifactError, match=r"items\.parquet is altered: run `m2trec data --force`"):
        export(run.config, force=True)


def test_the_manifest_says_what_the_repository_was_made_of(shop: Shop) -> None:
    manifest = json.loads((shop.repository / MANIFEST).read_text())
    assert manifest["step"] == "export" and manifest["items"] == N_ITEMS
    assert (manifest["index"], manifest["recall_at_20"]) == ("quantised", 1)
    assert "m2trec_predict/1/candidate_vectors.npy" in manifest["sha256"]


def test_vectors_are_those_of_the_whole_catalogue_and_can_be_mapped(shop: Shop) -> None:
    candidates = np.load(shop.predict / "candidate_vectors.npy", mmap_mode="r")
    assert candidates.shape == (N_ITEMS + 1, shop.config.model.width) and candidates.dtype == np.float32
    assert len(np.load(shop.predict / "biases.npy")) == N_ITEMS + 1


def test_item_columns_hold_raw_values_as_they_are_filtered_by(shop: Shop) -> None:
    table = item_columns(shop.config, shop.catalogue).to_pydict()
    assert list(table) == ["item_id", "title", "train_count", "department", "tags", "price"]
    assert table["item_id"][:2] == ["sku-0", "sku-1"] and table["train_count"][0] == 24
    assert table["tags"][:4] == [["organic", "local"], ["local"], [], ["sale", "organic"]]
    assert table["price"][:2] == [1.0, 2.0] and table["department"][1] == "bakery"
