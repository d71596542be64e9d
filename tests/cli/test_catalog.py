"""`m2trec catalog` as a person calls it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from m2trec_merlin.cli.app import main
from tests.serving.catalogue.test_run import NEW
from tests.worlds.shop import N_ITEMS, Shop


@pytest.fixture
def repository(shop: Shop, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shop.repository, tmp_path / "triton"))


@pytest.fixture(autouse=True)
def niced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The niceness that commands give themselves, of which the tests get nothing."""
    given: list[int] = []
    monkeypatch.setattr(os, "setpriority", lambda which, who, niceness: given.append(niceness))
    return given


@pytest.fixture
def call(repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def call(*arguments: object) -> tuple[int, str]:
        words = ["m2trec", "catalog", *map(str, arguments), "--run", str(repository)]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), " ".join((said.out + said.err).split())

    return call


def test_a_server_beside_it_goes_first(call, niced: list[int]) -> None:
    call("list")
    assert not niced
    call("hide", "sku-1")
    assert niced == [max(5, os.getpriority(os.PRIO_PROCESS, 0))]


@pytest.mark.parametrize(
    "given", [("-c", "nowhere.yaml"), ("--set", "what.ever=1"), ("--variant", "trec_id")]
)
def test_a_configuration_beside_a_run_is_not_passed_over(call, given: tuple[str, str]) -> None:
    code, said = call("list", *given)
    assert code == 2 and f"Error: {given[0]}: changes nothing of a run that is named: leave it out" in said


def test_a_day_of_a_shop(call, tmp_path: Path) -> None:
    table = tmp_path / "new.parquet"
    NEW.to_parquet(table, index=False)
    code, said = call("list")
    assert code == 0 and f"version 0: {N_ITEMS} items" in said and "added 0 updated 0 removed 0" in said
    code, said = call("add", table)
    assert code == 0 and said.endswith(f"version 1: add 3 items of new.parquet; {N_ITEMS + 3} items")
    assert call("remove", "sku-1")[1].endswith(f"version 2: remove item sku-1; {N_ITEMS + 2} items")
    assert call("hide", "--table", table)[1].endswith(f"version 3: hide 3 items; {N_ITEMS + 2} items")
    assert call("show", "new-1")[1].endswith(f"version 4: show item new-1; {N_ITEMS + 2} items")
    found = json.loads(call("list", "--json")[1])
    assert (found["version"], found["items"]) == (4, N_ITEMS + 2)
    assert found["changed"] == {
        "added": ["new-1", "new-2", "new-3"],
        "updated": [],
        "removed": ["sku-1"],
        "hidden": ["new-2", "new-3"],
        "not available now": [],
        "in the export, and newly listed": [],
    }
    assert call("rollback")[1].endswith(f"version 3: hide 3 items; {N_ITEMS + 2} items")
    known = json.loads(call("history", "--json")[1])
    assert known["current"] == 3 and [each["parent"] for each in known["versions"]] == [0, 1, 2, 3]
    assert "* 3" in call("history")[1]
    assert call("rollback", 0) == (0, f"version 0: as exported; {N_ITEMS} items")


def test_what_changes_nothing_makes_no_version(call, tmp_path: Path) -> None:
    table = tmp_path / "new.parquet"
    NEW.to_parquet(table, index=False)
    unchanged = "nothing changes: the catalogue is so already version"
    assert call("show", "sku-1") == (0, f"{unchanged} 0: as exported; {N_ITEMS} items")
    assert call("add", table)[0] == call("hide", "new-1")[0] == 0
    said = (0, f"{unchanged} 2: hide item new-1; {N_ITEMS + 3} items")
    assert call("hide", "new-1") == call("show", "new-2") == call("update", table) == said
    assert [each["number"] for each in json.loads(call("history", "--json")[1])["versions"]] == [1, 2]
    assert call("show", "new-1", "new-2")[1].startswith("version 3: show 2 items")


def test_ids_are_shown_as_they_are(call, tmp_path: Path) -> None:
    table = tmp_path / "new.parquet"
    NEW.iloc[:1].assign(item_id="[/red]").to_parquet(table, index=False)
    assert call("add", table)[0] == 0
    for verb in ("list", "history"):
        code, said = call(verb)
        assert code == 0 and "[/red]" in said


def test_what_is_wrong_is_one_message_and_exit_code_1(call, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("sku,price\n1,cheap\n")
    code, said = call("add", tmp_path / "new.csv")
    assert code == 1 and said.startswith("Error: ") and "no column 'product_id'" in said and "cheap" in said
    code, said = call("rollback")
    assert code == 1 and "there is nothing to go back to" in said
