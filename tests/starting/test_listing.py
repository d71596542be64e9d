"""Since when items are listed, by the name of a column and by when their events come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from m2trec_merlin.errors import DataError
from m2trec_merlin.starting.run import start

N_ITEMS = 60
FIRST = pd.Timestamp("2024-03-01")


def draft(folder: Path, timed: bool = True, **columns: Any) -> dict[str, Any]:
    """Write two tables, in which no event comes before the first of March, and what `init` makes of them."""
    folder.mkdir(exist_ok=True)
    items = {"sku": [f"A{n}" for n in range(N_ITEMS)], "colour": ["red", "blue", "green"] * 20, **columns}
    visits = [(f"s{visit}", f"A{(7 * visit + n) % N_ITEMS}") for visit in range(40) for n in range(4)]
    clicks = pd.DataFrame(visits, columns=["session", "sku"])
    if timed:
        clicks["time"] = pd.date_range(FIRST, periods=len(visits), freq="7min")
    pd.DataFrame(items).to_csv(folder / "items.csv", index=False)
    clicks.to_csv(folder / "clicks.csv", index=False)
    start(folder / "clicks.csv", folder / "items.csv", folder / "shop.yaml")
    read: dict[str, Any] = yaml.safe_load((folder / "shop.yaml").read_text())
    return read


def dates(first: int, written: str = "%Y-%m-%d") -> list[str]:
    return [(FIRST + pd.Timedelta(first - n % 9, "D")).strftime(written) for n in range(N_ITEMS)]


@pytest.mark.parametrize("name", ["released", "Release Date", "createdAt", "available_from", "angelegt_am"])
def test_dates_before_the_events_are_those_of_listing(tmp_path: Path, name: str) -> None:
    assert draft(tmp_path, **{name: dates(0)})["data"]["listed"] == {"column": name}
    text = (tmp_path / "shop.yaml").read_text()
    assert "# since when items are listed" in text and f"'{name}': dates" not in text


def test_events_without_a_time_say_nothing_of_listing(tmp_path: Path) -> None:
    draft(tmp_path, released=dates(0))
    clicks = pd.read_csv(tmp_path / "clicks.csv")
    clicks.loc[[3, 77], "time"] = None
    clicks.to_csv(tmp_path / "clicks.csv", index=False)
    with pytest.raises(DataError, match="is missing in 2 rows"):
        start(tmp_path / "clicks.csv", tmp_path / "items.csv", tmp_path / "shop.yaml", force=True)
    assert "listed: {column: released}" in (tmp_path / "shop.yaml").read_text()


def test_how_they_are_written_is_told(tmp_path: Path) -> None:
    found = draft(tmp_path, released=dates(0, "%d.%m.%Y"))["data"]["listed"]
    assert found == {"column": "released", "time_format": "%d.%m.%Y"}


@pytest.mark.parametrize(
    ("timed", "columns"),
    [
        (True, {"released": dates(30)}),
        (True, {"last_updated": dates(0)}),
        (True, {"available_until": dates(0)}),
        (True, {"recorded": dates(0)}),
        (True, {"released": [*dates(0)[1:], "soon"]}),
        (False, {"released": dates(0)}),
    ],
    ids=[
        "after the events",
        "a change",
        "an end",
        "another name",
        "one that is none",
        "events without times",
    ],
)
def test_other_dates_are_not(tmp_path: Path, timed: bool, columns: dict[str, Any]) -> None:
    assert "listed" not in draft(tmp_path, timed, **columns)["data"]


@pytest.mark.parametrize("written", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d"])
def test_the_first_event_of_each_item_is_no_date_of_listing(tmp_path: Path, written: str) -> None:
    """It was taken from what is to be predicted."""
    draft(tmp_path)
    clicks = pd.read_csv(tmp_path / "clicks.csv", parse_dates=["time"])
    first = clicks.groupby("sku")["time"].min().dt.strftime(written)
    assert (
        "listed" not in draft(tmp_path / "again", first_sold=[first[f"A{n}"] for n in range(N_ITEMS)])["data"]
    )
