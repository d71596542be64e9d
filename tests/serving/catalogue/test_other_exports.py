"""What becomes of a changed catalogue where another export takes the place of the one it belongs to."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from m2trec_merlin.config import Config
from m2trec_merlin.config.serving import FixedMixture
from m2trec_merlin.contract import checksums
from m2trec_merlin.contract.catalogue import catalogue_folder
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.model.storage import save_model
from m2trec_merlin.runs import Run
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs, left_behind
from m2trec_merlin.serving.export.run import export
from tests.serving.catalogue.test_run import NEW, Served, everything
from tests.told import Told
from tests.worlds.shop import N_ITEMS, build_shop, raw_items


def with_serving(config: Config, **settings: object) -> Config:
    return config.model_copy(update={"serving": config.serving.model_copy(update=settings)})


def test_a_change_that_another_export_overtakes_is_refused(repository: Path, tmp_path: Path) -> None:
    """As where a large table is read while the nightly export ends."""
    verbs = CatalogueVerbs(repository)
    other, *_ = build_shop(tmp_path / "other", width=8)
    shutil.rmtree(repository)
    shutil.copytree(export(other), repository)
    NEW.to_parquet(tmp_path / "new.parquet", index=False)
    with pytest.raises(ArtifactError, match="was exported again meanwhile, and nothing is changed"):
        verbs.add(tmp_path / "new.parquet")
    assert not catalogue_folder(repository).exists()


def test_a_new_export_goes_on_with_the_catalogue(tmp_path: Path) -> None:
    config, catalogue, model = build_shop(tmp_path / "run")
    export(config)
    repository = next((tmp_path / "run").rglob("m2trec_predict")).parent
    verbs = CatalogueVerbs(repository)
    new = tmp_path / "new.parquet"
    NEW.to_parquet(new, index=False)
    changed = tmp_path / "changed.parquet"
    raw_items().iloc[[4]].assign(product_name="silver cake").to_parquet(changed, index=False)
    verbs.add(new)
    verbs.update(changed)
    verbs.remove(["sku-7"])
    verbs.hide(["sku-8"])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(-1.5)
    save_model(model, config.model_directory / "model", config, catalogue)
    write_manifest(config.model_directory / "model", "train", {})
    running = Served(repository)
    before = everything(running, ["sku-3"])
    export(config)
    verbs = CatalogueVerbs(repository)
    assert [each.did for each in verbs.versions.all()][-1] == "carry version 4 over to another export"
    served = Served(repository)
    after = everything(served, ["sku-3"])
    assert after.keys() == before.keys() and {"new-1", "sku-4"} <= after.keys()
    assert not {"sku-7", "sku-8"} & after.keys()
    assert after != before, "another model"
    titles = served.ask(["sku-3"], top_k=N_ITEMS + 5)
    assert "silver cake" in titles["titles"]
    # The server that runs goes on with what it has, until it is started again.
    time.sleep(1.2)
    assert everything(running, ["sku-3"]) == before
    # But what is recalled since is recommended by nobody, whatever else the versions of both say.
    verbs.remove(["sku-9"])
    verbs.hide(["sku-10", "new-2"])
    verbs.hide(["sku-8"], hidden=False)
    time.sleep(1.2)
    left = everything(running, ["sku-3"])
    assert left == {i: score for i, score in before.items() if i not in {"sku-9", "sku-10", "new-2"}}
    verbs.hide(["sku-10"], hidden=False)
    time.sleep(1.2)
    assert everything(running, ["sku-3"]).keys() == left.keys() | {"sku-10"}
    # A version of the model before is made again by the new one.
    version = verbs.rollback(1)
    assert version is not None and version.did == "rollback to 1"
    served.until(str(version.number))
    assert {"sku-7", "sku-8", "new-1"} <= everything(served, ["sku-3"]).keys()
    assert "silver cake" not in served.ask(["sku-3"], top_k=N_ITEMS + 5)["titles"]
    version = verbs.rollback(2)
    assert version is not None
    served.until(str(version.number))
    assert "silver cake" in served.ask(["sku-3"], top_k=N_ITEMS + 5)["titles"], "updates are made again, too"
    running.close()
    served.close()


def test_an_export_in_another_format_goes_on_with_the_catalogue(
    tmp_path: Path, new_items: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade: no version could be served, but what was changed is not lost."""
    config, *_ = build_shop(tmp_path / "run")
    repository = export(config)
    CatalogueVerbs(repository).add(new_items)
    monkeypatch.setattr(checksums, "FORMAT", checksums.FORMAT + 1)
    with pytest.raises(ArtifactError, match="or export again"):
        CatalogueVerbs(repository)
    verbs = CatalogueVerbs(export(config, force=True))
    assert set(verbs.versions.changes(verbs.versions.current()).items) == set(NEW["item_id"])
    served = Served(repository)
    assert set(NEW["item_id"]) <= everything(served, ["sku-3"]).keys()
    served.close()


def test_rollback_behind_an_export_goes_on_to_the_version_before(tmp_path: Path) -> None:
    config, *_ = build_shop(tmp_path / "run")
    repository = export(config)
    for item_id in ("sku-7", "sku-8"):
        CatalogueVerbs(repository).hide([item_id])
    told = Told()
    export(with_serving(config, top_k=7), progress=told)
    assert "2 hidden or available at times only" in told.text
    verbs = CatalogueVerbs(repository)

    def hidden() -> list[str]:
        return sorted(verbs.summary(now=time.time()).changed["hidden"])

    assert hidden() == ["sku-7", "sku-8"]
    verbs.rollback()
    assert hidden() == ["sku-7"]
    verbs.rollback(2)
    assert hidden() == ["sku-7", "sku-8"]
    for wanted in (["sku-7"], []):
        verbs.rollback()
        assert hidden() == wanted
    with pytest.raises(ArtifactError, match="nothing to go back to"):
        verbs.rollback()


def test_items_that_the_new_export_has_itself_are_taken_from_there(tmp_path: Path) -> None:
    config, *_ = build_shop(tmp_path / "run")
    export(config)
    repository = next((tmp_path / "run").rglob("m2trec_predict")).parent
    new = tmp_path / "new.parquet"
    NEW.to_parquet(new, index=False)
    CatalogueVerbs(repository).add(new)
    shutil.move(repository, tmp_path / "kept")
    shutil.rmtree(tmp_path / "run")
    config, *_ = build_shop(tmp_path / "run", NEW.iloc[:2])
    shutil.move(tmp_path / "kept", repository)
    told = Told()
    export(config, force=True, progress=told)
    assert "1 added or updated items are carried over, 2 are in the new export" in told.text
    versions = CatalogueVerbs(repository).versions
    assert list(versions.changes(versions.current()).items) == ["new-3"]


def trained_again(model: Path) -> None:
    """Let a model be another one of the same weights."""
    (model / "history.json").write_text("[]", encoding="utf-8")
    write_manifest(model, "train", {})


def test_what_was_listed_before_an_export_is_newly_listed_until_the_next_model(tmp_path: Path) -> None:
    """In the training of the first it had hardly time to sell; what training never saw sell counts less."""

    def built(more: pd.DataFrame | None = None) -> Config:
        config, *_ = build_shop(tmp_path / "run", more)
        return with_serving(config, mixture=FixedMixture(rare=-1, listed=3))

    def scores(repository: Path) -> dict[str, float]:
        served = Served(repository)
        found = everything(served, ["sku-3"])
        served.close()
        return {item_id: found[item_id] - found["sku-5"] for item_id in found}

    repository = export(built())
    table = tmp_path / "new.parquet"
    NEW.iloc[:1].to_parquet(table, index=False)
    CatalogueVerbs(repository).add(table)
    shutil.move(repository, tmp_path / "kept")
    shutil.rmtree(tmp_path / "run")
    config = built(NEW.iloc[:2])
    elsewhere = export(config)
    said = left_behind(tmp_path / "kept", elsewhere)
    [line] = said.splitlines()
    assert line.startswith("of the items that were added there, 1 that have not sold since")
    shutil.rmtree(elsewhere)
    shutil.move(tmp_path / "kept", repository)
    listed = scores(export(config, force=True))
    verbs = CatalogueVerbs(repository)
    assert verbs.versions.all()[-1].listed == ("new-1",)
    NEW.iloc[:1].to_parquet(table, index=False)
    verbs.update(table)
    updated = scores(repository)
    again = scores(export(with_serving(config, top_k=7), force=True))
    assert CatalogueVerbs(repository).versions.all()[-1].listed == ("new-1",), "the training is the same one"
    assert again["new-1"] == pytest.approx(listed["new-1"], abs=1e-4)
    trained_again(Run(config).model)
    stock = scores(export(config, force=True))
    assert CatalogueVerbs(repository).versions.all()[-1].listed == ()
    assert listed["new-1"] - stock["new-1"] == pytest.approx(4, abs=1e-4)
    assert updated["new-1"] == pytest.approx(listed["new-1"], abs=1e-4), "an update changes nothing of that"
    for item_id in ("new-2", "sku-3"):
        assert listed[item_id] == pytest.approx(stock[item_id], abs=1e-4)


def test_what_an_export_in_another_folder_leaves_behind_is_told(
    repository: Path, new_items: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(repository, tmp_path / "other"))
    assert left_behind(repository, other) == ""
    verbs, others = CatalogueVerbs(repository), CatalogueVerbs(other)
    verbs.add(new_items)
    verbs.remove(["sku-7"])
    verbs.hide(["sku-8", "new-1"])
    said = left_behind(repository, other)
    assert "3 added or updated, 1 removed, 2 hidden or not always available" in said
    assert str(repository) in said
    others.add(new_items)
    others.hide(["sku-8", "new-1"])
    assert "behind in" in left_behind(repository, other) and "added" not in left_behind(repository, other)
    others.remove(["sku-7"])
    assert left_behind(repository, other) == ""
