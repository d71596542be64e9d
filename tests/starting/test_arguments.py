"""How many tables `init` wants."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from m2trec_merlin.cli.app import main
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.starting.run import two_of


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["clicks.csv"], "clicks.csv: a table of the items is needed beside that of the events"),
        (
            ["1.csv", "2.csv", "products.csv"],
            "two tables are read, events and items, and not 3: 1.csv, 2.csv",
        ),
    ],
)
def test_one_table_and_three_are_told(
    names: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=told):
        two_of([Path(name) for name in names])
    with pytest.raises(SystemExit) as ended:
        monkeypatch.setattr(sys, "argv", ["m2trec", "init", *names])
        main()
    assert ended.value.code == 1 and f"Error: {told}" in capsys.readouterr().err


def test_two_tables_are_events_and_items() -> None:
    assert two_of([Path("clicks.csv"), Path("items.csv")]) == (Path("clicks.csv"), Path("items.csv"))
