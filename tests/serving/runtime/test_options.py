from __future__ import annotations

import dataclasses
import json

import pytest

from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.contract.version import Description
from m2trec_merlin.serving.runtime.options import OPTIONS, check_options

VERSION = Description(
    max_length=4,
    attributes=(),
    filters={"aisle": False, "tags": False, "year": False, "price": True},
    defaults={"top_k": 7, "new_item_boost": 2.0},
    top_categories=1,
    repeat_biases=False,
    neighbours=False,
    index="exact",
)
DEFAULTS = {
    "top_k": 7,
    "exclude": [],
    "exclude_session_items": False,
    "filters": {},
    "new_items": None,
    "new_item_boost": 2.0,
}


def test_no_options_are_the_defaults_of_the_version() -> None:
    assert check_options("", VERSION) == check_options("{}", VERSION) == DEFAULTS
    assert [option.name for option in OPTIONS] == list(DEFAULTS)


def test_a_version_without_defaults_leaves_those_of_the_options() -> None:
    checked = check_options("", dataclasses.replace(VERSION, defaults={}))
    assert (checked["top_k"], checked["new_item_boost"]) == (20, 0.0)


def test_all_options() -> None:
    text = (
        '{"top_k": 3, "exclude": ["a", 12], "exclude_session_items": true, "filters": {"aisle": "tea"}, '
        '"new_item_boost": 1.5, "new_items": ["b", 13]}'
    )
    assert check_options(text, VERSION) == {
        "top_k": 3,
        "exclude": ["a", "12"],
        "exclude_session_items": True,
        "filters": {"aisle": "tea"},
        "new_item_boost": 1.5,
        "new_items": ["b", "13"],
    }


def test_what_was_checked_is_checked_again_to_the_same() -> None:
    for text in ("", '{"top_k": 3, "new_items": [13]}'):
        checked = check_options(text, VERSION)
        assert check_options(json.dumps(checked), VERSION) == checked


def test_the_boost_of_new_items_is_the_exported_one_unless_a_request_says_otherwise() -> None:
    assert check_options("", VERSION)["new_item_boost"] == 2.0
    assert check_options('{"new_item_boost": 0}', VERSION)["new_item_boost"] == 0


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"top_k": 0}, "options.top_k"),
        ({"top_k": True}, "options.top_k"),
        ({"top_k": "5"}, "options.top_k"),
        ({"exclude": "a"}, "options.exclude"),
        ({"exclude": [["a"]]}, "options.exclude"),
        ({"exclude_session_items": 1}, "options.exclude_session_items"),
        ({"filters": ["a"]}, "options.filters"),
        ({"new_item_boost": "high"}, "options.new_item_boost"),
        ({"new_item_boost": float("inf")}, "options.new_item_boost"),
        ({"new_items": "all"}, "options.new_items"),
        ({"topk": 5}, "options.topk"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_found(options: dict[str, object], field: str) -> None:
    with pytest.raises(ServerError) as error:
        check_options(json.dumps(options), VERSION)
    assert str(error.value).startswith(f"{field}: ")


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(ServerError) as error:
        check_options('{"top_k": -1, "exclude": 3, "nonsense": 0}', VERSION)
    assert all(f"options.{field}:" in str(error.value) for field in ("top_k", "exclude", "nonsense"))


@pytest.mark.parametrize("text", ["{", "[]", "5", '"x"'])
def test_anything_but_an_object_is_refused(text: str) -> None:
    with pytest.raises(ServerError, match=r"^options: "):
        check_options(text, VERSION)


def test_unusable_filters_are_reported_together() -> None:
    filters = {"departmnt": "x", "price": "cheap", "tags": {"min": 1}, "year": None}
    with pytest.raises(ServerError) as error:
        check_options(json.dumps({"filters": filters}), VERSION)
    assert all(f"options.filters.{name}: " in str(error.value) for name in filters)
    assert "accepted: aisle, tags, year, price" in str(error.value)


@pytest.mark.parametrize("wanted", [{}, {"from": 1}, {"min": "1"}, True, [None]])
def test_unusable_numbers(wanted: object) -> None:
    with pytest.raises(ServerError, match=r"options\.filters\.price: expected a number"):
        check_options(json.dumps({"filters": {"price": wanted}}), VERSION)
