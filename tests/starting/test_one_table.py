"""From one table of events, which say what their items are, to a configuration that the data step takes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.config import load_config
from m2trec_merlin.data import prepare_data
from m2trec_merlin.errors import DataError
from m2trec_merlin.starting.run import start
from tests.starting.test_run import EXPECTED, clicks, products, settings


def test_one_table_that_says_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = (
        clicks().merge(products(), left_on="product", right_on="sku").drop(columns=["sku", "image", "action"])
    )
    # Dates of items are no times of events, and come before these in the table.
    both.insert(0, "released", "2019-0" + both["product"].str[-1].replace("0", "9") + "-01")
    both.sort_values("at").to_csv(tmp_path / "sales.csv", index=False)
    done = start(tmp_path / "sales.csv", None, tmp_path / "shop.yaml")
    written = settings(tmp_path / "shop.yaml")
    assert "items" not in written["data"] and written["data"]["interactions"] == "sales.csv"
    assert written["data"]["columns"] == {"session_id": "visit", "item_id": "product", "order": "at"}
    assert written["attributes"] == EXPECTED["attributes"] and written["model"] == EXPECTED["model"]
    n_items = both["product"].nunique()
    told = f"{n_items} items by 'product' in these rows; the most usual of the first rows of each has "
    assert done.found.looked_at()[1] == told + "'released', 'name', 'department', 'category', 'price'"
    assert [line for line in done.found.left_out() if "event_attributes" in line] == [
        "sales.csv, 'currency': not read (event_attributes can)"
    ]
    monkeypatch.chdir(tmp_path)
    items = pd.read_parquet(prepare_data(load_config("shop.yaml")) / "items.parquet")
    assert len(items) == n_items
    assert items.set_index("item_id")["name"].to_dict() == both.set_index("product")["name"].to_dict()


def test_one_table_that_says_nothing_of_items_is_told_why(tmp_path: Path) -> None:
    headless = tmp_path / "clicks.dat"
    rows = [f"{n // 3},2014-04-07T10:5{n % 9}:09.277Z,2145{n % 7:05d},0" for n in range(90)]
    headless.write_text("\n".join(rows))
    with pytest.raises(DataError, match=r"clicks\.dat: its first line is a row: '0', '2014-04"):
        start(headless, None, tmp_path / "shop.yaml")
    (tmp_path / "both").mkdir()
    clicks().rename(columns={"product": "sku"}).to_csv(tmp_path / "both" / "clicks.csv", index=False)
    products().to_csv(tmp_path / "both" / "products.csv", index=False)
    with pytest.raises(DataError, match=r"'name' cannot be read: .*lacks the columns name of prod"):
        start(tmp_path / "both", None, tmp_path / "shop.yaml")


@pytest.mark.parametrize("name", ["Item", "itemDescription", "Product"])
def test_items_may_be_told_by_their_names_alone(tmp_path: Path, name: str) -> None:
    """As in published logs of baskets: BreadBasket, Groceries."""
    goods = ["Coffee", "Bread", "hot chocolate", "Scone", "rolls/buns"]
    rows = [(f"{basket // 3}", "10/30/2016", goods[basket * basket % 5]) for basket in range(300)]
    table = tmp_path / "baskets.csv"
    pd.DataFrame(rows, columns=["Transaction", "Date", name]).to_csv(table, index=False)
    done = start(table, None, tmp_path / "shop.yaml")
    written = settings(tmp_path / "shop.yaml")
    assert written["data"]["columns"]["item_id"] == name
    assert written["attributes"] == [{"name": name, "kind": "text"}]
    assert done.found.looked_at()[1] == f"3 items by '{name}' in these rows"


def test_items_of_which_a_finer_column_may_be_meant_are_doubted(tmp_path: Path) -> None:
    table = tmp_path / "news.csv"
    number = [n * n % 61 for n in range(900)]
    pages = {"url": [f"/story-{n}" for n in number], "author_id": [n % 9 for n in number]}
    news = {
        "session": [n // 3 for n in range(900)],
        **pages,
        "author": [f"By author {n % 9}" for n in number],
    }
    pd.DataFrame(news).to_csv(table, index=False)
    doubts = start(table, None, tmp_path / "shop.yaml").found.doubts()
    told = "items by 'author_id' (8 values), or by 'url' (31 values): data.columns.item_id says what is"
    assert any(line.startswith(told) for line in doubts)


@pytest.mark.parametrize("between", [" ", "_"], ids=["words", "one word"])
def test_what_follows_from_the_name_of_an_item_is_the_item_s(tmp_path: Path, between: str) -> None:
    """As in AdventureWorks: orders name products, and say of each what it is and what it costs."""
    names = [f"{kind}{between}{size}" for kind in ("Helmet", "Jersey", "Tube") for size in ("Small", "Large")]
    bought = [basket * basket % 7 % 6 for basket in range(300)]
    kinds, prices = [names[n].split(between)[0] for n in bought], [9.99 + 5 * n for n in bought]
    rows = {"Order": [n // 3 for n in range(300)], "Category": kinds, "Product": [names[n] for n in bought]}
    pd.DataFrame({**rows, "UnitPrice": prices}).to_csv(tmp_path / "orders.csv", index=False)
    done = start(tmp_path / "orders.csv", None, tmp_path / "shop.yaml")
    written = settings(tmp_path / "shop.yaml")
    assert [(entry["name"], entry["kind"]) for entry in written["attributes"]] == [
        ("Product", "text"),
        ("Category", "categorical"),
        ("UnitPrice", "numeric"),
    ]
    assert not any("event is its session" in line for line in done.found.left_out())


@pytest.mark.parametrize("called", ["pizza_id", "item_id"])
def test_a_table_of_the_items_may_name_them_alone(tmp_path: Path, called: str) -> None:
    """A configuration takes no attribute from a column called item_id."""
    names = [f"{word}_{size}" for word in ("hawaiian", "veggie", "greek") for size in ("small", "large")]
    menu = pd.DataFrame({called: names, "price": [5.5, 7, 6, 8, 6.5, 9]})
    menu.to_csv(tmp_path / "menu.csv", index=False)
    orders = pd.DataFrame({"order": [n // 3 for n in range(90)], called: names * 15})
    orders.to_csv(tmp_path / "orders.csv", index=False)
    done = start(tmp_path / "orders.csv", tmp_path / "menu.csv", tmp_path / "shop.yaml")
    kinds = {entry["name"]: entry["kind"] for entry in settings(tmp_path / "shop.yaml")["attributes"]}
    if called == "item_id":
        assert kinds == {"price": "numeric"}
        assert any("'item_id': names of the items" in line for line in done.found.left_out())
    else:
        assert kinds == {"pizza_id": "text", "price": "numeric"}
        items = pd.read_parquet(prepare_data(load_config(tmp_path / "shop.yaml")) / "items.parquet")
        assert items["pizza_id"].tolist() == items["item_id"].tolist() == names
