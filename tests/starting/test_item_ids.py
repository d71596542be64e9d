from __future__ import annotations

import numpy as np
import pandas as pd

from m2trec_merlin.starting.item_ids import find_item_ids
from tests.starting.conftest import LookAt

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
