"""Sessions whose rows are sorted by item."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.config import load_config
from m2trec_merlin.starting.run import examine, start

ITEMS = pd.DataFrame(
    {
        "sku": [f"A{n:02d}" for n in range(40)],
        "name": [f"{('red', 'blue', 'grey')[n % 3]} {('lamp', 'rug')[n % 2]} {n}" for n in range(40)],
        "category": [("lamps", "rugs", "beds")[n % 3] for n in range(40)],
    }
)


def orders(is_sorted: bool, **columns: object) -> pd.DataFrame:
    """Return 150 orders of five items each."""
    random = np.random.default_rng(0)
    drawn = [random.choice(40, 5, replace=False) for _ in range(150)]
    rows = np.concatenate([np.sort(some) if is_sorted else some for some in drawn])
    table = pd.DataFrame(
        {"order_id": np.repeat(np.arange(1000, 1150), 5), "sku": ITEMS["sku"].to_numpy()[rows]}
    )
    return table.assign(**columns)


LINE = np.tile([1, 2, 3, 4, 5], 150)
DAYS = np.repeat(pd.date_range("2026-01-01", periods=150).strftime("%Y-%m-%d"), 5)
MINUTES = pd.date_range("2026-01-01", periods=750, freq="min").astype(str)


@pytest.mark.parametrize(
    ("columns", "ordered_by"),
    [({}, None), ({"line": LINE}, None), ({"day": DAYS}, "day")],
    ids=["by nothing", "by lines that count sorted rows", "by days"],
)
def test_what_no_time_tells_apart_is_shuffled(
    tmp_path: Path, columns: dict[str, object], ordered_by: str | None
) -> None:
    orders(True, **columns).to_csv(tmp_path / "orders.csv", index=False)
    ITEMS.to_csv(tmp_path / "items.csv", index=False)
    found = start(tmp_path / "orders.csv", tmp_path / "items.csv", tmp_path / "shop.yaml").found
    assert found.order.shuffle and found.order.column == ordered_by
    assert any(
        line.startswith("order: ") and "sorted by 'sku'" in line and "100 % of changes go up" in line
        for line in found.doubts()
    )
    data = load_config(tmp_path / "shop.yaml").data
    assert (data.options.shuffle, data.columns.order) == (True, ordered_by)


@pytest.mark.parametrize("first", [1, 1000], ids=["of several widths", "of one width"])
def test_numbers_of_items_sort_as_numbers(tmp_path: Path, first: int) -> None:
    """By 9, 10 a session rises, though the text 10 comes before 9."""
    number = {sku: n + first for n, sku in enumerate(ITEMS["sku"])}
    for name, table in (("orders", orders(True)), ("items", ITEMS)):
        table.assign(sku=table["sku"].map(number)).to_csv(tmp_path / f"{name}.csv", index=False)
    assert examine(tmp_path / "orders.csv", tmp_path / "items.csv").order.shuffle


@pytest.mark.parametrize("columns", [{}, {"line": LINE}, {"day": DAYS}])
def test_an_order_of_its_own_stays(tmp_path: Path, columns: dict[str, object]) -> None:
    orders(False, **columns).to_csv(tmp_path / "orders.csv", index=False)
    ITEMS.to_csv(tmp_path / "items.csv", index=False)
    assert not examine(tmp_path / "orders.csv", tmp_path / "items.csv").order.shuffle


def test_times_that_differ_are_believed(tmp_path: Path) -> None:
    orders(True, time=MINUTES).to_csv(tmp_path / "orders.csv", index=False)
    ITEMS.to_csv(tmp_path / "items.csv", index=False)
    order = examine(tmp_path / "orders.csv", tmp_path / "items.csv").order
    assert (order.column, order.shuffle) == ("time", False)
