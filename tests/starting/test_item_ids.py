from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.readers.canonical import KnownItems
from m2trec_merlin.starting.item_ids import ItemIds, find_item_ids, ids_beside, without_header
from m2trec_merlin.starting.look import Look
from m2trec_merlin.starting.run import examine
from tests.starting.conftest import LookAt
from tests.starting.test_run import clicks, products

RANDOM = np.random.default_rng(0)


def test_ids_meet_under_other_names(look: LookAt) -> None:
    clicks = pd.DataFrame({"who": RANDOM.integers(9, size=300), "what": RANDOM.integers(50, size=300) + 1000})
    items = pd.DataFrame({"nr": range(300), "code": range(1000, 1300)})
    found = find_item_ids(look(clicks, "clicks"), look(items, "items"))
    assert found is not None
    assert (found.clicked, found.described, found.known, found.are_unique) == ("what", "code", 1.0, True)


def test_small_numbers_that_are_ids_by_chance_do_not_win(look: LookAt) -> None:
    items = pd.DataFrame({"id": range(5000)})
    clicks = pd.DataFrame(
        {
            "session_id": np.arange(4000) // 2,  # all of them are ids of items, too
            "quantity": RANDOM.integers(1, 9, size=4000),
            "product": RANDOM.integers(6000, size=4000),
        }
    )
    found = find_item_ids(look(clicks, "clicks"), look(items, "items"))
    assert found is not None and found.clicked == "product" and 0.75 < found.known < 0.9


def test_leading_zeros_are_part_of_an_id(look: LookAt) -> None:
    items = pd.DataFrame({"sku": [f"{i:05d}" for i in range(100)]})
    assert find_item_ids(look(pd.DataFrame({"a": range(100)}), "clicks"), look(items, "items")) is None
    zeros = look(pd.DataFrame({"a": [f"{i:05d}" for i in range(50)]}), "clicks")
    assert (found := find_item_ids(zeros, look(items, "items"))) is not None and found.known == 1


def test_an_items_table_with_two_rows_an_item(look: LookAt) -> None:
    items = pd.DataFrame({"sku": np.repeat(np.arange(60), [2, 1] * 30), "size": ["S", "M", "L"] * 30})
    found = find_item_ids(look(pd.DataFrame({"sku": range(40)}), "clicks"), look(items, "items"))
    assert found is not None and found.described == "sku" and not found.are_unique


def test_a_few_values_over_and_over_are_no_ids(look: LookAt) -> None:
    items = look(pd.DataFrame({"category": ["a", "b"] * 50}), "items")
    assert find_item_ids(look(pd.DataFrame({"category": ["a", "b"] * 9}), "clicks"), items) is None


def test_sessions_that_meet_ids_by_chance_hide_no_items_that_do_not(look: LookAt) -> None:
    items = look(pd.DataFrame({"id": range(500)}), "items")
    numbers = {"session": np.arange(900) // 2, "quantity": RANDOM.integers(1, 9, size=900)}
    strange = pd.DataFrame({**numbers, "item": RANDOM.integers(10_000, 20_000, size=900)})
    assert find_item_ids(look(strange, "clicks"), items) is None
    hardly = find_item_ids(look(strange.assign(item=RANDOM.integers(450, 950, size=900)), "clicks"), items)
    assert hardly is not None and hardly.clicked == "item" and hardly.known < 0.2


def test_what_most_events_know_wins_over_a_column_that_knows_a_few(look: LookAt) -> None:
    items = look(pd.DataFrame({"news_id": [f"N{i}" for i in range(100)]}), "items")
    read = [f"N{i}" if i < 20 else f"N{i} N{i + 1}" for i in range(90)]
    clicks = look(pd.DataFrame({"history": read, "clicked": [f"N{i}" for i in range(90)]}), "clicks")
    found = find_item_ids(clicks, items)
    assert found is not None and (found.clicked, found.known) == ("clicked", 1.0)


def test_numbers_of_orders_users_and_hours_are_no_items_by_chance(look: LookAt) -> None:
    items = look(pd.DataFrame({"product_id": range(1, 401)}), "items")
    orders = {
        "order_id": range(5000, 5300),
        "user_id": np.arange(300) // 6 + 1,
        "order_number": [1, 2, 3] * 100,
    }
    clicks = look(pd.DataFrame({**orders, "order_hour": [f"{i % 24:02d}" for i in range(300)]}), "clicks")
    assert find_item_ids(clicks, items) is None


def test_a_column_of_users_alone_holds_no_items(look: LookAt) -> None:
    users = pd.DataFrame({"userid": [f"u{i}" for i in range(50)]})
    plays = look(pd.DataFrame({"userid": users["userid"].to_list() * 3, "traid": "a song"}), "clicks")
    assert find_item_ids(plays, look(users, "items")) is None


def test_the_same_column_with_several_rows_an_item_is_met_by_no_other(look: LookAt) -> None:
    bought = pd.DataFrame({"session_id": range(0, 600, 3), "item_id": RANDOM.integers(60, size=200)})
    seen = pd.DataFrame({"session_id": np.arange(400) // 2 * 3, "item_id": RANDOM.integers(60, size=400)})
    assert find_item_ids(look(seen, "clicks"), look(bought, "items")) is None


@pytest.mark.parametrize("headless", ["clicks", "items", None])
def test_a_table_without_a_header_is_told(look: LookAt, headless: str | None) -> None:
    tables = {
        "clicks": pd.DataFrame({"visit": [1, 1, 2, 2, 3, 3], "item": [101, 102, 103, 101, 102, 103]}),
        "items": pd.DataFrame({"item": [101, 102, 103, 104], "name": ["lamp", "mug", "bed", "rug"]}),
    }
    if headless:
        first, rest = tables[headless].iloc[0], tables[headless].iloc[1:]
        tables[headless] = rest.set_axis([str(value) for value in first], axis=1)
    clicks, items = (look(table, name) for name, table in tables.items())
    ids = find_item_ids(clicks, items)
    assert ids is not None
    told = "".join(without_header(clicks, items, ids))
    assert (f"{headless}.csv: its first line is a row: '1" in told) is (told != "") is bool(headless)


def test_a_table_without_a_header_is_told_where_no_ids_meet(look: LookAt) -> None:
    named = look(pd.DataFrame({"id": ["N1", "N22", "N3"], "name_1": ["lamp", "bed", "rug"]}), "items")
    history = {" ".join(["N22 N1"] * 50): ["N3 N1", "N22 N3"]}  # too long for a name
    time = {"11/9/2019 7:05:20": ["1/2/2019 10:00:11"] * 2}
    shown = look(pd.DataFrame({"U29": ["U3", "U411"], **history, **time}), "clicks")
    assert find_item_ids(shown, named) is None
    (told,) = without_header(shown, named, None)
    assert (
        "clicks.csv: its first line is a row: 'U29', 'N22 N1 N22" in told
        and "...', '11/9/2019 7:05:20';" in told
    )


def test_columns_that_are_numbered_have_names(look: LookAt) -> None:
    clicks = look(pd.DataFrame({"0": [1, 1, 2, 2], "1": [1, 2, 3, 1]}), "clicks")
    items = look(pd.DataFrame({"sku": [1, 2, 3], "name": ["lamp", "mug", "bed"]}), "items")
    ids = find_item_ids(clicks, items)
    assert ids is not None and ids.clicked == "1" and not without_header(clicks, items, ids)


def test_numbers_that_count_lines_are_no_ids_of_a_column_that_is_called_like_them(look: LookAt) -> None:
    """Both hold the numbers of the clicks, in other lines."""
    articles = RANDOM.permutation(300) + 1
    clicks = look(pd.DataFrame({"product_id": RANDOM.integers(1, 301, size=2000)}), "clicks")
    for counter in ("Unnamed: 0", "bestseller_rank", "id"):
        items = look(pd.DataFrame({counter: np.arange(1, 301), "article": articles}), "items")
        found = find_item_ids(clicks, items)
        assert found is not None and (found.clicked, found.described) == ("product_id", "article")
        assert found.are_unique and found.rivals == (("id",) if counter == "id" else ())
    twins = pd.DataFrame({"id": articles, "article": articles})
    assert (same := find_item_ids(clicks, look(twins, "items"))) is not None and not same.rivals


def test_rows_of_a_history_are_no_items(look: LookAt) -> None:
    """Each item has three rows; what counts these meets the ids of the clicks by chance."""
    history = pd.DataFrame({"id": np.arange(1, 901), "product": RANDOM.permutation(np.arange(900) // 3 + 1)})
    clicks = look(pd.DataFrame({"product_id": RANDOM.integers(1, 301, size=2000)}), "clicks")
    found = find_item_ids(clicks, look(history, "items"))
    assert found is not None and found.described == "product" and not found.are_unique


def test_what_both_tables_call_by_one_name_goes_before_amounts_that_meet_it(look: LookAt) -> None:
    """A quarter of the tickets are for events that the table knows; a few sums are numbers of events, too."""
    numbers = RANDOM.integers(1_000, 9_000, size=2000)
    tickets = {"order_id": range(2000), "user_id": np.arange(2000) // 3, "event_id": numbers}
    orders = look(pd.DataFrame({**tickets, "total": numbers / 4}), "orders")
    shows = look(pd.DataFrame({"event_id": range(1_000, 3_000), "venue": [f"v{i}" for i in range(2000)]}))
    found = find_item_ids(orders, shows)
    assert found is not None and (found.clicked, found.described) == ("event_id", "event_id")
    assert 0.2 < found.known < 0.3


def test_amounts_are_no_ids_of_items(look: LookAt) -> None:
    paid = look(pd.DataFrame({"total": [5.0, 7.5, 9.0, 11.0] * 20, "price": [1, 2, 3, 4] * 20}), "paid")
    items = look(pd.DataFrame({"id": range(1, 20), "price": range(1, 20)}), "items")
    assert find_item_ids(paid, items) is None


@pytest.mark.parametrize(("described", "are_ids"), [("order_id", False), ("product_id", True)])
def test_a_few_numbers_that_meet_are_ids_under_one_name_alone(
    look: LookAt, described: str, are_ids: bool
) -> None:
    bought = pd.DataFrame({"order_id": np.arange(1000) // 5 + 90_000, "product_id": np.arange(1000) // 2})
    other = look(pd.DataFrame({described: range(495, 2000), "day": 1}), "other")
    found = find_item_ids(look(bought, "bought"), other)
    assert (found is not None) is are_ids and (found is None or found.known == 0.01)


def test_numbers_of_users_and_orders_in_both_tables_are_no_items(look: LookAt) -> None:
    orders = {"order_number": np.arange(600) // 3, "dish": ["soup", "rice", "cake"] * 200}
    table = look(pd.DataFrame({"order_number": range(900), "table": [f"t{i % 9}" for i in range(900)]}))
    assert find_item_ids(look(pd.DataFrame(orders), "orders"), table) is None


def _beside(events: Look, items: Look, found: ItemIds) -> list[str]:
    return ids_beside(events, items, found.clicked, KnownItems(items.ids(found.described)))


@pytest.mark.parametrize("written", ["{}", "B{:05d}"], ids=["numbers", "codes"])
def test_other_items_in_the_same_row_are_found(look: LookAt, written: str) -> None:
    """As where a row holds the first five items of a user, or the next one beside each of a session."""
    drawn = RANDOM.integers(1, 201, size=(600, 3))
    ids = [[written.format(i) for i in row] for row in drawn]
    items = look(pd.DataFrame({"item_id": [written.format(i) for i in range(1, 201)]}), "items")
    wide = pd.DataFrame(ids, columns=["item_1", "item_2", "item_3"])
    clicks = look(wide.assign(user_id=drawn[:, 0] % 90 + 1), "clicks")
    found = find_item_ids(clicks, items)
    assert found is not None and {found.clicked, *_beside(clicks, items, found)} == {*wide}
    following = wide.rename(columns={"item_1": "item_id", "item_2": "next_item"}).drop(columns="item_3")
    following.loc[::3, "next_item"] = None
    clicks = look(following, "clicks")
    found = find_item_ids(clicks, items)
    assert found is not None and found.clicked == "item_id"
    assert _beside(clicks, items, found) == ["next_item"]


def test_what_belongs_to_the_item_is_no_other_item(look: LookAt) -> None:
    """Families and variants have ids of items, and so have small numbers, by chance."""
    drawn = RANDOM.integers(1, 201, size=600)
    beside = {
        "item_parent_id": drawn // 2 + 1,
        "item_variant_id": drawn * 3 + RANDOM.integers(0, 3, size=600),
        "same_item": np.where(RANDOM.random(600) < 0.7, drawn, 9999),
        "item_category_id": RANDOM.integers(1, 20, size=600),
        "item_position": RANDOM.integers(1, 200, size=600),
        "user_id": RANDOM.integers(1, 200, size=600),
        "row": np.arange(600) % 200 + 1,
    }
    clicks = look(pd.DataFrame({"item_id": drawn, **beside}), "clicks")
    items = look(pd.DataFrame({"item_id": range(1, 601)}), "items")
    found = find_item_ids(clicks, items)
    assert found is not None and found.clicked == "item_id"
    assert _beside(clicks, items, found) == []


def test_the_next_item_beside_each_is_told(tmp_path: Path) -> None:
    table = clicks()
    table["next_product"] = table.groupby("visit")["product"].shift(-1)
    table.to_csv(tmp_path / "clicks.csv", index=False)
    products().to_csv(tmp_path / "products.csv", index=False)
    found = examine(tmp_path / "clicks.csv", tmp_path / "products.csv")
    assert found.ids.clicked == "product"
    assert any("in 'next_product' are ids of items, too" in line for line in found.doubts())
