"""Versions on disk: equal to an export to the bit, whole or not there."""

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

from m2trec_merlin.config.serving import FixedMixture
from m2trec_merlin.contract.catalogue import CURRENT, catalogue_folder
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
from m2trec_merlin.serving.catalogue.versions import KEPT
from m2trec_merlin.serving.export.run import export
from tests.serving.catalogue.test_run import NEW, Served, everything
from tests.worlds.disks import small_disk
from tests.worlds.shop import N_ITEMS, Shop, build_shop


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


def test_a_head_with_an_output_for_each_item_refuses_with_the_reason(tmp_path: Path) -> None:
    config, *_ = build_shop(
        tmp_path, next_item={"head": "softmax", "residual": False, "popularity_bias": False}
    )
    repository = export(config)
    with pytest.raises(ArtifactError, match=r"has an output for each item of its training .*softmax"):
        CatalogueVerbs(repository)


def test_a_model_of_ids_refuses_with_the_reason(tmp_path: Path) -> None:
    config, *_ = build_shop(tmp_path, inputs=["item_id"])
    with pytest.raises(ArtifactError, match="needs the id of each item"):
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


def test_the_version_that_a_change_was_made_from_stays_however_old_it_is(repository: Path) -> None:
    verbs = CatalogueVerbs(repository)
    for number in range(KEPT):
        verbs.hide([f"sku-{number + 1}"])
    verbs.rollback(1)
    verbs.hide(["sku-1"], hidden=False)
    assert verbs.rollback().number == 1


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
    with pytest.raises(ArtifactError, match=r"current is damaged.*: run `m2trec catalog rollback`"):
        Served(repository)
    assert verbs.rollback().number == verbs.versions.current() == 1, "the newest that is not damaged"
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
