from __future__ import annotations

import json

import pytest

from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.runtime.options import Options, parse_options


def test_no_options_are_the_defaults() -> None:
    assert parse_options("", top_k=7) == parse_options("{}", top_k=7) == Options(7, [], False, {})


def test_all_options() -> None:
    text = (
        '{"top_k": 3, "exclude": ["a", 12], "exclude_session_items": true, "filters": {"aisle": "tea"}, '
        '"new_item_boost": 1.5, "new_items": ["b", 13]}'
    )
    assert parse_options(text, top_k=7) == Options(3, ["a", "12"], True, {"aisle": "tea"}, 1.5, ["b", "13"])


def test_the_boost_of_new_items_is_the_exported_one_unless_a_request_says_otherwise() -> None:
    assert parse_options("", 7, new_item_boost=2.0).new_item_boost == 2.0
    assert parse_options('{"new_item_boost": 0}', 7, new_item_boost=2.0).new_item_boost == 0


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
        parse_options(json.dumps(options), top_k=7)
    assert str(error.value).startswith(f"{field}: ")


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(ServerError) as error:
        parse_options('{"top_k": -1, "exclude": 3, "nonsense": 0}', top_k=7)
    assert all(f"options.{field}:" in str(error.value) for field in ("top_k", "exclude", "nonsense"))


@pytest.mark.parametrize("text", ["{", "[]", "5", '"x"'])
def test_anything_but_an_object_is_refused(text: str) -> None:
    with pytest.raises(ServerError, match=r"^options: "):
        parse_options(text, top_k=7)
