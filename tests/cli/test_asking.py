"""Sessions and filters as they are typed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from m2trec_merlin.cli.asking import known_titles, parse_filters, parse_session_item
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.runs import Run
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
from tests.worlds.shop import Shop, raw_items


def test_items_of_a_session_are_ids_or_attributes() -> None:
    assert parse_session_item("4711") == "4711"
    assert parse_session_item('{"title": "oat milk"}') == {"title": "oat milk"}
    with pytest.raises(ConfigError, match="not valid JSON"):
        parse_session_item('{"title": oat}')
    with pytest.raises(ConfigError, match="'title' stands there twice"):
        parse_session_item('{"title": "oat", "title": "rye"}')


def test_titles_are_those_of_the_catalogue_as_it_is_now(shop: Shop, tmp_path: Path) -> None:
    config = shop.config.model_copy(update={"work_dir": tmp_path})
    ids = ["sku-2", "new-1", "sku-1", "sku-3", '{"title": "oat"}', "sku-1"]
    assert known_titles(config, ids) == {}, "it is elsewhere"
    shutil.copytree(shop.repository, Run(config).triton)
    assert known_titles(config, ids) == {
        "sku-1": "green bread 1",
        "sku-2": "blue milk 2",
        "sku-3": "white apple 3",
    }
    verbs, table, some = CatalogueVerbs(Run(config).triton), tmp_path / "items.parquet", raw_items().iloc[[2]]
    some.assign(product_name="grey milk").to_parquet(table, index=False)
    verbs.update(table)
    some.assign(item_id="new-1", product_name="oat milk").to_parquet(table, index=False)
    verbs.add(table)
    verbs.remove(["sku-3"])
    now = {"sku-1": "green bread 1", "sku-2": "grey milk", "new-1": "oat milk"}
    assert known_titles(config, ids) == now


def test_filters_of_one_column_are_alternatives() -> None:
    assert parse_filters(["a=1", "b=x=y", "a=2"]) == {"a": [1, 2], "b": ["x=y"]}
    with pytest.raises(ConfigError, match="expected COLUMN=VALUE"):
        parse_filters(["produce"])


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        *(("7", 7), ("-7", -7), ("0", 0), ("007", "007"), ("7.5", "7.5"), ("7.50", "7.50"), ("1e3", "1e3")),
        *(("1.402", "1.402"), ("1.402,58", "1.402,58"), ("", ""), ("NaN", "NaN"), ("true", "true")),
        *(("[7]", "[7]"), ("+7", "+7"), ("-0", "-0"), ("9" * 30, "9" * 30)),
    ],
)
def test_a_filter_sends_whole_numbers_and_all_else_as_typed(value: str, sent: str | int) -> None:
    """The server knows which columns hold numbers, and what begins a fraction there."""
    found = parse_filters([f"price={value}"])
    assert found == {"price": [sent]} and type(found["price"][0]) is type(sent)


@pytest.mark.parametrize("value", ["12,5", "1.402,58", "1.402", "-1e3"])
def test_bounds_may_be_written_as_tables_write_numbers(value: str) -> None:
    assert parse_filters([f"price<={value}"]) == {"price": {"max": value}}


def test_filters_can_name_what_is_not_wanted() -> None:
    read = parse_filters(["a!=1", "a!=x", "price>=2", "price!=3", "b=y"])
    assert read == {"a": {"not": [1, "x"]}, "price": {"min": 2, "not": [3]}, "b": ["y"]}
    with pytest.raises(ConfigError, match="a: give either values or"):
        parse_filters(["a=1", "a!=2"])


def test_filters_of_numbers_can_be_bounds() -> None:
    bounds = parse_filters(["price>=1", "price<=5.5", "weight<=-1e3"])
    assert bounds == {"price": {"min": 1, "max": "5.5"}, "weight": {"max": "-1e3"}}
    for filters, message in (
        (["price>=cheap"], "price>=cheap: expected a number behind >="),
        (["price<=NaN"], "expected a number"),
        (["price>=1", "price>=2"], "price has a bound >= already"),
        (["price=3", "price>=2"], "price: give either values or bounds"),
        (["price<5"], "expected COLUMN=VALUE.*or COLUMN>=NUMBER"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_filters(filters)
