"""The data step is tried on what `init` has written."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from m2trec_merlin.artifacts import writing
from m2trec_merlin.config import load_config, restore_config
from m2trec_merlin.errors import ConfigError, DataError
from m2trec_merlin.starting import run
from tests.starting.test_run import clicks, products


def test_no_room_to_try_it_leaves_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    products().to_csv(tmp_path / "products.csv", index=False)
    clicks().to_csv(tmp_path / "clicks.csv", index=False)

    def full(config: Any) -> None:
        with writing(config.directory / "data"):
            raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(run, "prepare_data", full)
    done = run.start(tmp_path / "clicks.csv", tmp_path / "products.csv", tmp_path / "shop.yaml")
    assert done.tried is not None and "work_dir" not in done.tried
    assert done.tried.endswith("(TMPDIR): No space left on device")
    assert load_config(tmp_path / "shop.yaml") == done.config


def test_a_draft_that_is_refused_stays_and_says_how_it_is_replaced(tmp_path: Path) -> None:
    table, output = products(), tmp_path / "shop.yaml"
    clicks().to_csv(tmp_path / "clicks.csv", index=False)

    def draft(force: bool = False) -> run.Started:
        table.to_csv(tmp_path / "products.csv", index=False)
        return run.start(tmp_path / "clicks.csv", tmp_path / "products.csv", output, force)

    table.loc[5, "sku"] = "P-000"
    with pytest.raises(DataError) as caught:
        draft()
    told = "shop.yaml is written, but the data step refuses it: change it, or mend the tables and run this"
    assert f"{told} again with --force: " in str(caught.value)
    assert "repeats the id of an earlier row in 1 row: row 6 ('P-000')" in str(caught.value)
    assert load_config(output).name == "shop"
    table = products()
    with pytest.raises(ConfigError, match="is there already: --force replaces it"):
        draft()
    assert draft(force=True).tried


def test_names_that_begin_as_home_folders_do_are_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    events, items = Path("~clicks.csv"), Path("~items/products.csv")
    items.parent.mkdir()
    clicks().to_csv(events, index=False)
    products().to_csv(items, index=False)
    for folder in (Path(), items.parent):
        done = run.start(events, items, folder / "shop.yaml")
        assert done.tried is not None and "items with metadata: 120" in done.tried
        assert restore_config(done.config.model_dump(mode="json")) == done.config
    assert "interactions: ./~clicks.csv" in Path("shop.yaml").read_text()
