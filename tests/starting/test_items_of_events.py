"""Which columns of a table of events are found to describe items."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.starting.items_of_events import finer_than_items, look_at_items
from m2trec_merlin.starting.look import Look, look_at

RANDOM = np.random.default_rng(3)
N_ROWS, N_ITEMS = 800, 40
ITEM = RANDOM.integers(N_ITEMS, size=N_ROWS)
SESSION = np.arange(N_ROWS) // 4


def described(folder: Path, **columns: object) -> Look:
    pd.DataFrame(columns).to_csv(folder / "events.csv", index=False)
    return look_at_items(look_at(folder / "events.csv", Dialect(), 10_000))


def test_what_follows_the_item_is_the_item_s(tmp_path: Path) -> None:
    """A country that nearly all rows have agrees by chance; a price follows, though it changes every day."""
    invoice, price = np.arange(N_ROWS) // 4, 1 + 0.5 * ITEM
    found = described(
        tmp_path,
        InvoiceNo=invoice,
        StockCode=[f"S{i}" for i in ITEM],
        Description=[f"{['red', 'old'][i % 2]} mug {i}" for i in ITEM],
        Quantity=RANDOM.integers(1, 9, N_ROWS),
        UnitPrice=np.round(price * RANDOM.normal(1, 0.02, N_ROWS), 2),
        Customer=invoice % 50,
        Country=np.where(invoice % 20, "UK", "FR"),
    )
    assert list(found.columns) == ["StockCode", "Description", "UnitPrice"]
    assert found.rows == found.kept == len(set(ITEM))
    first = pd.Series(ITEM).drop_duplicates().index
    assert found.columns["StockCode"].values.index.tolist() == first.tolist()


def test_of_several_ids_that_of_items_is_taken(tmp_path: Path) -> None:
    """A category has an id, too, and a name that belongs to it; users have a city."""
    user = RANDOM.integers(60, size=N_ROWS)
    found = described(
        tmp_path,
        user_id=user,
        city=[f"city {i % 7}" for i in user],
        category_id=ITEM % 5,
        category_name=[f"kind {i % 5}" for i in ITEM],
        product_id=1000 + ITEM,
        event_type=RANDOM.choice(["view", "cart"], N_ROWS),
    )
    assert list(found.columns) == ["product_id", "category_id", "category_name"]


NAMED = [f"{['red', 'old'][i % 2]} mug {i}" for i in ITEM]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Product Price", 10 + ITEM // 2),  # two items at each price
        ("Price", 10.5 + ITEM // 2),
        ("Product Line", [f"line{i % 7}" for i in ITEM]),
        ("Item Category Code", ITEM % 7),
        ("product_category", [f"kind {i % 7}" for i in ITEM]),
    ],
)
def test_what_several_items_share_is_no_id(tmp_path: Path, name: str, values: object) -> None:
    """As in a log of orders that tells items by their names: each name is an item."""
    order = np.arange(N_ROWS) // 4
    found = described(tmp_path, **{"Order Number": order, "Product": NAMED, name: values})
    assert next(iter(found.columns)) == "Product" and found.rows == N_ITEMS


@pytest.mark.parametrize("name", ["product_id", "stockcode"])
def test_ids_stay_where_some_items_have_several_names(tmp_path: Path, name: str) -> None:
    """Names of languages are of one item, and so are those that somebody misspelt."""
    languages = [f"{name} in {['English', 'German'][n % 2]}" for n, name in enumerate(NAMED)]
    misspelt = [f"{name} {n}" if n % 20 == 0 else name for n, name in enumerate(NAMED)]
    colour = [["red", "blue", "green"][i % 3] for i in ITEM]
    names = languages if name == "product_id" else misspelt
    found = described(tmp_path, **{name: 1000 + ITEM, "product name": names, "colour": colour})
    assert next(iter(found.columns)) == name and found.rows == N_ITEMS


def test_categories_alone_are_no_items(tmp_path: Path) -> None:
    """As in a log of clicks that names the category of a product, and not the product."""
    columns = {
        "session_id": SESSION,
        "product_category": [f"kind {i % 7}" for i in ITEM],
        "price": ITEM % 7 + 10,
    }
    with pytest.raises(DataError, match="a table of the items is needed beside it"):
        described(tmp_path, **columns)


@pytest.mark.parametrize(("no", "yes"), [(0, 1), (False, True), (None, "t"), (None, 1), ("", "X")])
def test_a_column_for_each_item_is_told(tmp_path: Path, no: object, yes: object) -> None:
    baskets = {f"mug {n}": np.where(np.arange(N_ROWS) % (n + 2), no, yes) for n in range(12)}
    told = r"a column seems to stand for an item, .* 'mug 4' and 7 more: write a row for each yes"
    with pytest.raises(DataError, match=told):
        described(tmp_path, **baskets)
    # A few are marks of events, and many names are not all told.
    for beside in ({}, {f"sensor {n}": np.arange(N_ROWS) * n for n in range(1, 9)}):
        few = dict(list(baskets.items())[: 12 if beside else 6])
        with pytest.raises(DataError, match=r"a table of the items is needed .* 'mug 4' and \d+ more\)"):
            described(tmp_path, **few, **beside)


def finer(folder: Path, **columns: object) -> list[str]:
    """Return the columns that may be the items instead, in sessions of four events."""
    pd.DataFrame({"session": SESSION, **columns}).to_csv(folder / "events.csv", index=False)
    events = look_at(folder / "events.csv", Dialect(), 10_000)
    items = look_at_items(events)
    return [column.name for column in finer_than_items(events, items, "session", {"session"})]


COARSE = {"author_id": ITEM % 9, "author_name": [f"Author {i % 9}" for i in ITEM]}


def test_what_may_be_the_items_instead_is_named(tmp_path: Path) -> None:
    """As in a log of news, and in that of a shop that tells units, as its items are several columns."""
    pages = [f"/news/story-{i}" for i in ITEM]
    assert finer(tmp_path, **COARSE, url=pages, section=ITEM % 3) == ["url"]
    units = {"productmeasure": [["OZ", "CT", "LT"][i % 3] for i in ITEM], "kind": ITEM % 3}
    assert finer(tmp_path, **units, category=ITEM % 7, brand=ITEM % 11 + 500) == ["category", "brand"]


@pytest.mark.parametrize(
    "beside",
    [
        {"city": [f"city {n % 23}" for n in SESSION]},
        {"visitor_id": RANDOM.integers(60, size=N_ROWS)},
        {"amount": RANDOM.integers(60, size=N_ROWS)},
        {"plays": RANDOM.lognormal(4, 1.5, N_ROWS).astype(int) // 7 * 7},
        {"click": np.arange(N_ROWS)},
        {"device": ["phone", "desk"] * (N_ROWS // 2)},
    ],
    ids=["of the session", "users", "amounts", "counts", "of the event", "fewer"],
)
def test_what_is_no_item_is_not_named(tmp_path: Path, beside: dict[str, object]) -> None:
    assert finer(tmp_path, **COARSE, **beside) == []


@pytest.mark.parametrize("name", ["product_id", "StockCode", "sku", "product", "movie"])
def test_items_that_are_called_so_are_believed(tmp_path: Path, name: str) -> None:
    category = [["red", "blue", "green"][i % 3] for i in ITEM]
    assert finer(tmp_path, **{name: ITEM + 7, "category": category}, referrer=np.arange(N_ROWS) % 97) == []


@pytest.mark.parametrize(
    "columns",
    [
        {"visitor": ITEM % 9, "itemid": ITEM, "event": ["view", "cart"] * (N_ROWS // 2)},
        {"a": ITEM, "b": [f"title {i}" for i in ITEM]},
        {"order": ITEM % 9, "Item Size": [["small", "large"][i % 2] for i in ITEM]},
        {"item": np.arange(N_ROWS), "title": [f"title {i}" for i in range(N_ROWS)]},
        {"conversion_id": np.where(ITEM < 4, ITEM, -1), "conversion": np.where(ITEM < 4, "yes", "no")},
    ],
    ids=[
        "nothing belongs to items",
        "names say nothing",
        "sizes name nothing",
        "no item comes back",
        "most rows have none",
    ],
)
def test_a_table_that_does_not_say_it_is_refused(tmp_path: Path, columns: dict[str, object]) -> None:
    with pytest.raises(DataError, match="a table of the items is needed beside it") as refused:
        described(tmp_path, **columns)
    assert all(repr(name) in str(refused.value) for name in columns)
