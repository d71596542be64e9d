"""Versions on disk: equal to an export to the bit, whole or not there, carried over to the next export."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from m2trec_merlin.artifacts import write_manifest
from m2trec_merlin.config import Config
from m2trec_merlin.config.serving import FixedMixture
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.model.storage import save_model
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs, left_behind
from m2trec_merlin.serving.catalogue.versions import KEPT
from m2trec_merlin.serving.contract import checksums
from m2trec_merlin.serving.contract.catalogue import CURRENT, catalogue_folder
from m2trec_merlin.serving.export.run import export
from tests.serving.catalogue.test_run import NEW, Served, everything
from tests.worlds.disks import small_disk
from tests.worlds.shop import N_ITEMS, Shop, build_shop, raw_items


@pytest.fixture
def repository(shop: Shop, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shop.repository, tmp_path / "triton"))


@pytest.fixture
def new_items(tmp_path: Path) -> Path:
    path = tmp_path / "new.parquet"
    NEW.to_parquet(path, index=False)
    return path


def test_added_items_are_what_an_export_with_them_holds_to_the_bit(
    repository: Path, new_items: Path, tmp_path: Path, shop: Shop
) -> None:
    verbs = CatalogueVerbs(repository)
    one = tmp_path / "one.parquet"
    NEW.iloc[:1].to_parquet(one, index=False)
    verbs.add(one)
    two = tmp_path / "two.parquet"
    NEW.iloc[1:].to_parquet(two, index=False)
    verbs.add(two)
    config, catalogue, _ = build_shop(tmp_path / "whole", NEW)
    model = shop.model
    assert catalogue.n_rows == N_ITEMS + 4
    whole = Shop(config, catalogue, model, export(config))
    for name in ("item_vectors.npy", "candidate_vectors.npy", "biases.npy"):
        exported = np.load(repository / "m2trec_predict" / "1" / name)
        added = np.load(catalogue_folder(repository) / "2" / name)
        together = np.load(whole.predict / name)
        assert np.concatenate([exported, added]).tobytes() == together.tobytes(), name
    shown = [
        pq.read_table(path / "items.parquet").to_pylist()
        for path in (shop.predict, catalogue_folder(repository) / "2")
    ]
    assert [*shown[0], *shown[1]] == pq.read_table(whole.predict / "items.parquet").to_pylist()
    served, complete = Served(repository), Served(whole.repository)
    for session in (["sku-3"], ["new-1", "sku-4"], ["new-3"], ["new-2", "new-1", "sku-29"]):
        assert everything(served, session) == everything(complete, session)
    served.close()
    complete.close()


def test_with_the_mixture_an_added_item_is_what_an_export_with_it_has(tmp_path: Path) -> None:
    """Its words count, too, as an item of a session and as one that is recommended.

    That it was listed after training counts here what never having sold does.
    """
    views = {"by_id": 1, "by_metadata": 0.5, "beside": 0.5, "content": 1, "rare_content": 1, "trend": 1}
    mixed = FixedMixture(**views, rare=0.5, listed=0.5)

    def exported(folder: Path, more: pd.DataFrame | None = None) -> Path:
        config, *_ = build_shop(folder, more)
        return export(
            config.model_copy(update={"serving": config.serving.model_copy(update={"mixture": mixed})})
        )

    repository, whole = exported(tmp_path / "run"), exported(tmp_path / "whole", NEW)
    table = tmp_path / "new.parquet"
    NEW.to_parquet(table, index=False)
    CatalogueVerbs(repository).add(table)
    served, complete = Served(repository), Served(whole)
    for session in (["sku-3"], ["new-1", "sku-4"], ["new-2", "new-1", "sku-29"]):
        one, other = everything(served, session), everything(complete, session)
        assert one == pytest.approx(other, abs=1e-5), session
    served.close()
    complete.close()


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
    said: list[str] = []

    class Telling:
        def say(self, line: str) -> None:
            said.append(line)

        def advance(self, task: str, done: int, total: int, note: str = "") -> None: ...

    export(config, force=True, progress=Telling())
    assert any("1 added or updated items are carried over, 2 are in the new export" in line for line in said)
    versions = CatalogueVerbs(repository).versions
    assert list(versions.changes(versions.current()).items) == ["new-3"]


def test_what_was_listed_before_an_export_is_newly_listed_until_the_next_one(tmp_path: Path) -> None:
    """In the training of the first it had hardly time to sell; what training never saw sell counts less."""

    def built(more: pd.DataFrame | None = None) -> Config:
        config, *_ = build_shop(tmp_path / "run", more)
        return with_serving(config, mixture=FixedMixture(rare=-1, listed=3))

    def with_serving(config: Config, **settings: object) -> Config:
        return config.model_copy(update={"serving": config.serving.model_copy(update=settings)})

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
    stock = scores(export(with_serving(config, top_k=7), force=True))
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


def test_a_head_with_an_output_for_each_item_refuses_with_the_reason(tmp_path: Path) -> None:
    config, *_ = build_shop(
        tmp_path, next_item={"head": "softmax", "residual": False, "popularity_bias": False}
    )
    repository = export(config)
    with pytest.raises(ArtifactError, match=r"has an output for each item of its training .*softmax"):
        CatalogueVerbs(repository)


def test_a_model_of_ids_refuses_with_the_reason(tmp_path: Path) -> None:
    config, *_ = build_shop(tmp_path, inputs=["item_id"])
    with pytest.raises(ArtifactError, match="knows items by their ids only"):
        CatalogueVerbs(export(config))


def test_old_versions_are_cleared_away_but_for_the_last_ones(repository: Path, new_items: Path) -> None:
    verbs = CatalogueVerbs(repository)
    verbs.add(new_items)
    for _ in range(KEPT // 2 + 1):
        verbs.hide(["sku-1"])
        verbs.hide(["sku-1"], hidden=False)
    numbers = [each.number for each in verbs.versions.all()]
    assert len(numbers) == KEPT and numbers[-1] == verbs.versions.current() == 2 * (KEPT // 2 + 1) + 1
    assert list(verbs.versions.changes(numbers[-1]).items) == ["new-1", "new-2", "new-3"]


@pytest.mark.parametrize("how", ["truncated", "altered", "removed"])
def test_a_damaged_version_is_never_served(
    repository: Path, new_items: Path, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    served = Served(repository)
    before = everything(served, ["sku-3"])
    verbs = CatalogueVerbs(repository)
    for name in ("candidate_vectors.npy", "items.parquet", "version.json", "checksums.json"):
        shutil.copytree(repository, repository.with_name("spare"), dirs_exist_ok=True)
        verbs.versions.lead_to(0)
        version = CatalogueVerbs(repository.with_name("spare")).add(new_items)
        folder = catalogue_folder(repository.with_name("spare")) / str(version.number)
        damage(folder / name, how)
        target = catalogue_folder(repository) / str(version.number)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)
        verbs.versions.lead_to(version.number)
        time.sleep(1.2)
        assert everything(served, ["sku-3"]) == before
        assert f"{target.parent.name}/{version.number}" in capfd.readouterr().err
        with pytest.raises(ArtifactError, match=str(version.number)):
            Served(repository)
        verbs.versions.lead_to(0)
    served.close()


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if how == "truncated" else content[:-1] + b"\x01")


def test_rollback_mends_what_is_damaged(repository: Path) -> None:
    verbs = CatalogueVerbs(repository)
    for item_id in ("sku-1", "sku-2"):
        verbs.hide([item_id])
    folder = catalogue_folder(repository)
    damage(folder / "2" / "version.json", "truncated")
    with pytest.raises(ArtifactError, match=r"version\.json .*: run `m2trec catalog rollback`$"):
        verbs.versions.changes(2)
    version = verbs.rollback()
    assert version.number == verbs.versions.current() == 1
    (folder / CURRENT).write_text("one")
    with pytest.raises(ArtifactError, match="current is damaged"):
        Served(repository)
    assert verbs.rollback(0).number == verbs.versions.current() == 0
    shutil.rmtree(folder / "2")
    assert verbs.rollback(1).number == 1


def test_a_full_disk_is_named_and_nothing_changes(repository: Path, new_items: Path) -> None:
    verbs = CatalogueVerbs(repository)
    with small_disk(100), pytest.raises(ArtifactError, match="cannot write to"):
        verbs.add(new_items)
    assert verbs.versions.current() == 0 and verbs.versions.all() == []
    assert verbs.add(new_items).number == 1


def test_two_at_once_do_not_mix(repository: Path, new_items: Path) -> None:
    verbs = CatalogueVerbs(repository)
    with verbs.versions.changing(), pytest.raises(ArtifactError, match="another process is at work"):
        CatalogueVerbs(repository).add(new_items)
    assert verbs.add(new_items).number == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from m2trec_merlin.serving.catalogue import versions
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
versions.seal = lambda folder: os.kill(os.getpid(), signal.SIGKILL)
CatalogueVerbs(Path(sys.argv[1])).add(Path(sys.argv[2]))
"""


def test_a_killed_command_leaves_nothing_that_is_read_and_the_next_one_clears_up(
    repository: Path, new_items: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(repository), str(new_items)], capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    folder = catalogue_folder(repository)
    assert [path.suffix for path in folder.iterdir() if path.is_dir()] == [".tmp"]
    served = Served(repository)
    assert len(everything(served, ["sku-3"])) == N_ITEMS
    assert CatalogueVerbs(repository).add(new_items).number == 1
    assert {path.name for path in folder.iterdir()} == {CURRENT, "1"}
    served.until("1").close()
