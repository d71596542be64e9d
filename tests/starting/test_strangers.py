"""What is said of two tables that no ids connect."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from m2trec_merlin.starting.strangers import explain_strangers
from tests.starting.conftest import LookAt

SKUS = [f"{number:05d}" for number in range(40)]


@pytest.mark.parametrize(
    ("clicked", "described", "reason"),
    [
        (
            range(40),
            SKUS,
            "'sku' and 'sku' are written otherwise: the items have '00000', which differs from",
        ),
        ([f"{sku}\u00a0" for sku in SKUS], SKUS, "'00000\\xa0' by white space at its ends. In"),
        (
            SKUS,
            SKUS * 3,
            "'sku' and 'sku' hold the same, but an item has 3.0 rows: write one for each; where a row",
        ),
        ([f"x{n}" for n in range(40)], SKUS, "are both the right files, and the ids written alike? In"),
        (["4.00638E+12"] * 40, SKUS, "In clicks.csv 'sku' has '4.00638E+12'; 'n' has '"),
    ],
)
def test_how_ids_are_written_and_rows_of_an_item_are_named(
    look: LookAt, clicked: Any, described: list[str], reason: str
) -> None:
    clicks = look(pd.DataFrame({"sku": clicked, "n": range(40)}), "clicks")
    items = look(pd.DataFrame({"sku": described, "name": "lamp"}), "items")
    assert reason in explain_strangers(clicks, items)


def test_a_few_numbers_that_meet_are_told(look: LookAt) -> None:
    bought = look(pd.DataFrame({"product_id": range(1000)}), "bought")
    orders = look(pd.DataFrame({"order_id": range(995, 3000), "user": 1}), "orders")
    told = "'product_id' and 'order_id' meet in 0.5 % of events, as numbers do by chance."
    assert told in explain_strangers(bought, orders)


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        (
            [sku for n, sku in enumerate(SKUS) for sku in [sku, None][: 1 + (n % 4 == 0)]],
            "'sku' and 'Variant SKU' hold the same, but 20 % of rows have no 'Variant SKU': leave these out",
        ),
        (range(40), "'sku' and 'Variant SKU' are written otherwise: the items have '0'"),
    ],
)
def test_what_items_share_is_not_taken_for_their_ids(look: LookAt, described: Any, reason: str) -> None:
    """Shopify writes a row without a SKU for each further picture."""
    clicks = look(pd.DataFrame({"sku": SKUS, "vendor": ["Acme", "Lumo"] * 20}), "clicks")
    rows = list(described)
    vendors = [("Acme", "Lumo")[n % 2] for n in range(len(rows))]
    pictures = [f"p{n}.jpg" for n in range(len(rows))]
    table = {"Variant SKU": rows, "vendor": vendors, "picture": pictures}
    told = explain_strangers(clicks, look(pd.DataFrame(table, dtype=object), "items"))
    assert reason in told and "'vendor' and 'vendor'" not in told
