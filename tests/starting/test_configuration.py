"""What stands in the configuration beside attributes, sessions and order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from m2trec_merlin.config import Config
from m2trec_merlin.starting.run import start

N_ITEMS = 60


def draft(folder: Path, **columns: list[Any]) -> dict[str, Any]:
    """Write two tables, and what `init` makes of them."""
    items = {"sku": [f"A{n}" for n in range(N_ITEMS)], "colour": ["red", "blue", "green"] * 20, **columns}
    visits = [(f"s{visit}", f"A{(7 * visit + n) % N_ITEMS}") for visit in range(40) for n in range(4)]
    times = pd.date_range("2024-03-01", periods=len(visits), freq="7min")
    pd.DataFrame(items).to_csv(folder / "items.csv", index=False)
    clicks = pd.DataFrame(visits, columns=["session", "sku"]).assign(time=times)
    clicks.to_csv(folder / "clicks.csv", index=False)
    start(folder / "clicks.csv", folder / "items.csv", folder / "shop.yaml")
    read: dict[str, Any] = yaml.safe_load((folder / "shop.yaml").read_text())
    return read


def test_titles_that_are_no_text_are_shown_all_the_same(tmp_path: Path) -> None:
    found = draft(
        tmp_path, runtime=["1 of 2", "2 of 2"] * 30, title=[f"Lamp{n % 20}" for n in range(N_ITEMS)]
    )
    assert {"name": "title", "kind": "categorical"} in found["attributes"]
    assert found["serving"] == {"title_column": "title"}
    assert [task["attribute"] for task in found["model"]["next_attributes"]] == ["colour"]


@pytest.mark.parametrize("as_lists", [False, True])
def test_categories_of_which_an_item_has_several_are_predicted(tmp_path: Path, as_lists: bool) -> None:
    genres = [["rock", "pop", "jazz", "folk"][n % 4 : n % 4 + 1 + n % 2] for n in range(N_ITEMS)]
    items = pd.DataFrame({"sku": [f"A{n}" for n in range(N_ITEMS)], "colour": ["red", "blue", "green"] * 20})
    items["genres"] = genres if as_lists else ["|".join(each) for each in genres]
    items.to_parquet(tmp_path / "items.parquet")
    visits = [(f"s{visit}", f"A{(7 * visit + n) % N_ITEMS}") for visit in range(40) for n in range(4)]
    times = pd.date_range("2024-03-01", periods=len(visits), freq="7min")
    pd.DataFrame(visits, columns=["session", "sku"]).assign(time=times).to_csv(
        tmp_path / "c.csv", index=False
    )
    start(tmp_path / "c.csv", tmp_path / "items.parquet", tmp_path / "shop.yaml")
    text = (tmp_path / "shop.yaml").read_text()
    tasks = yaml.safe_load(text)["model"]["next_attributes"]
    assert tasks == [{"attribute": "genres", "weight": 0.2}] and "4 values" in text
    Config.model_validate(yaml.safe_load(text))


def test_tables_are_found_also_where_the_draft_lies_behind_a_link(tmp_path: Path) -> None:
    draft(tmp_path)
    elsewhere = tmp_path / "far" / "away"
    elsewhere.mkdir(parents=True)
    (tmp_path / "link").symlink_to(elsewhere)
    start(tmp_path / "clicks.csv", tmp_path / "items.csv", tmp_path / "link" / "shop.yaml")
    read = yaml.safe_load((elsewhere / "shop.yaml").read_text())
    assert read["data"]["items"] == "../../items.csv"


def test_the_title_is_one_that_hardly_an_item_lacks(tmp_path: Path) -> None:
    titles = [f"a lamp of {n} bulbs" for n in range(N_ITEMS)]
    found = draft(tmp_path, original_title=[t if n % 9 else None for n, t in enumerate(titles)], title=titles)
    assert [each["name"] for each in found["attributes"]][:2] == ["title", "original_title"]


@pytest.mark.parametrize("name", ["title", "story"])
def test_a_text_is_the_title_by_itself(tmp_path: Path, name: str) -> None:
    found = draft(tmp_path, **{name: [f"a lamp of {n} bulbs" for n in range(N_ITEMS)]})
    assert "serving" not in found


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_properties_that_are_called_by_numbers_are_no_row(tmp_path: Path, suffix: str) -> None:
    """As the columns are that pivot_table makes of one property a row."""
    draft(tmp_path)
    items = pd.read_csv(tmp_path / "items.csv").assign(**{"1": [10, 11, 12] * 20, "2": [20, 21] * 30})
    path = tmp_path / f"pivoted.{suffix}"
    items.to_csv(path, index=False) if suffix == "csv" else items.to_parquet(path)
    doubts = start(tmp_path / "clicks.csv", path, tmp_path / "shop.yaml", force=True).found.doubts()
    assert not [doubt for doubt in doubts if "first line" in doubt]


@pytest.mark.parametrize(
    ("splits", "kind", "prefixes"),
    [
        (["train", "train", "valid", "test"], "leave_one_out", "last"),
        (["train", "valid", "train", "test"], "time", None),
    ],
)
def test_a_column_that_splits_events_is_followed_only_where_it_holds_out_the_last(
    tmp_path: Path, splits: list[str], kind: str, prefixes: str | None
) -> None:
    draft(tmp_path)
    clicks = pd.read_csv(tmp_path / "clicks.csv")
    clicks.assign(fold=splits * 40).to_csv(tmp_path / "clicks.csv", index=False)
    made = start(tmp_path / "clicks.csv", tmp_path / "items.csv", tmp_path / "shop.yaml", force=True)
    read = yaml.safe_load((tmp_path / "shop.yaml").read_text())
    assert read["data"]["split"]["kind"] == kind and "split" not in read["data"]["columns"]
    assert read["evaluation"].get("prefixes") == prefixes and made.tried is not None
    assert bool([doubt for doubt in made.found.doubts() if "'fold' is not used" in doubt]) == (kind == "time")


def test_a_column_of_times_that_cannot_be_read_is_what_a_person_should_look_at(tmp_path: Path) -> None:
    """One file of a folder has a time zone, the other none."""
    visits = [(f"s{visit}", f"A{(7 * visit + n) % 60}") for visit in range(40) for n in range(4)]
    clicks = pd.DataFrame(visits, columns=["session", "sku"])
    times = pd.Series(pd.date_range("2024-03-01", periods=len(visits), freq="7min"))
    (tmp_path / "clicks").mkdir()
    clicks.assign(time=times).to_parquet(tmp_path / "clicks" / "a.parquet")
    clicks.assign(time=times.dt.tz_localize("UTC")).to_parquet(tmp_path / "clicks" / "b.parquet")
    items = pd.DataFrame({"sku": [f"A{n}" for n in range(60)], "colour": ["red", "blue", "green"] * 20})
    items.to_csv(tmp_path / "items.csv", index=False)
    found = start(tmp_path / "clicks", tmp_path / "items.csv", tmp_path / "shop.yaml").found
    assert found.order.times is None
    assert any(
        line.startswith("'time' is called like a time, and cannot be read: ") for line in found.doubts()
    )


@pytest.mark.parametrize(("every", "told"), [(None, "find their item"), (5, "that name an item find it")])
def test_events_without_an_item_do_not_count_as_finding_it(
    tmp_path: Path, every: int | None, told: str
) -> None:
    draft(tmp_path)
    clicks = pd.read_csv(tmp_path / "clicks.csv")
    if every:
        clicks.loc[::every, "sku"] = None
    clicks.to_csv(tmp_path / "clicks.csv", index=False)
    start(tmp_path / "clicks.csv", tmp_path / "items.csv", tmp_path / "shop.yaml", force=True)
    text = (tmp_path / "shop.yaml").read_text()
    assert f"item_id: sku  # 100 % of the events looked at {told}" in text
    assert ("20 % of events name no known item" in text) is bool(every)
