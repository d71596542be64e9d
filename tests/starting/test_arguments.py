"""How many tables `init` wants."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from m2trec_merlin.cli.app import main
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.starting.run import tables_of


def test_three_tables_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["1.csv", "2.csv", "products.csv"]
    told = "two tables are read, events and items, and not 3: 1.csv, 2.csv"
    with pytest.raises(ConfigError, match=told):
        tables_of([Path(name) for name in names])
    with pytest.raises(SystemExit) as ended:
        monkeypatch.setattr(sys, "argv", ["m2trec", "init", *names])
        main()
    assert ended.value.code == 2 and f"Error: {told}" in capsys.readouterr().err


def test_two_tables_are_events_and_items_and_one_is_both() -> None:
    assert tables_of([Path("clicks.csv"), Path("items.csv")]) == (Path("clicks.csv"), Path("items.csv"))
    assert tables_of([Path("clicks.csv")]) == (Path("clicks.csv"), None)
