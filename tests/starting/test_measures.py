from __future__ import annotations

import pandas as pd
import pytest

from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.measures import holds_amounts


@pytest.mark.parametrize(
    ("name", "values", "are_amounts"),
    [
        ("Product Price", [53, 49], True),
        ("Product Price", ["$53.99", "$49.99"], True),
        ("total", [1308.33, 20.0], True),
        ("vendor_margin", [0.5, 0.25], True),
        ("basket", [1308.0, 20.0], False),  # whole numbers that a gap made floats
        ("basket", ["550,21", "1.308,00", "20,00"], True),
        ("basket", ["1,308", "2,020"], False),  # commas may part thousands
        ("basket", ["Chairs, red", "Table"], False),
        ("order_total_cents", [55021, 2000], True),
        ("basket_value", [55021, 2000], True),
        ("Bestellwert", [550, 20], True),
        ("Rechnungsbetrag", [550, 20], True),
        ("BestellSumme", [550, 20], True),
        ("order_total_id", [550, 20], False),
        ("summer_order", [550, 20], False),
        ("Kundennummer", ["100,123", "100,1"], False),
        ("StockCode", [22139, 21730], False),
        ("stockcode", [22139, 21730], False),
        ("article_no", ["100.123", "100.124"], False),
        ("user_pseudo_id", ["1700000.25", "1700000.5"], False),
        ("Product", ["Sport-100", "Water Bottle"], False),
    ],
)
def test_amounts_are_told_by_their_names_and_fractions(
    name: str, values: list[object], are_amounts: bool
) -> None:
    assert holds_amounts(Column(name, pd.Series(values))) is are_amounts
