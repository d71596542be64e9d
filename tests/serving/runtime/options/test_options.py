from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.contract.version import Description
from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.runtime.catalogue.item_table import ItemTable
from m2trec_merlin.serving.runtime.options import OPTIONS, Draft, Option, check_options, options_schema
from m2trec_merlin.serving.runtime.options.exclusions import Exclude, ExcludeSessionItems
from m2trec_merlin.serving.runtime.options.filters import Filters
from m2trec_merlin.serving.runtime.options.newness import NewItemBoost, NewItems

VERSION = Description(
    max_length=4,
    attributes=(),
    filters={"aisle": "", "tags": "", "year": "", "price": "."},
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
    checked = check_options("", VERSION)
    assert (
        checked
        == check_options("{}", VERSION)
        == {**{o.name: o.default for o in OPTIONS}, **VERSION.defaults}
    )
    assert {**checked, **DEFAULTS} == checked


#: What JSON can hold, in forms that are right for some options and wrong for most.
VALUES: list[object] = [
    *(None, True, False, 0, 1, -1, 7, 2**70, -(2**70), 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *("", "7", "sku-1", "\ud800", "x" * 10_000, [], [[]], [None], ["sku-1", 2], [1.5], [True], [{}]),
    *({}, {"department": "dairy"}, {"price": {"min": 1}}, {"price": {"min": float("nan")}}, {"aisle": []}),
    *({"aisle": {"not": "tea"}}, {"tags": {"all": ["a", "b"]}}, {"tags": {"all": []}}),
]
#: Whole numbers to JSON Schema and none to us; and a truth value, which is taken as the id "True".
NOT_IN_SCHEMAS = {"-0.0", "1e+308", "[True]"}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
class TestContract:
    def test_it_says_what_it_expects(self, option: Option[Any]) -> None:
        assert re.fullmatch("[a-z][a-z_]*", option.name) and option.expected

    @pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
    def test_what_it_takes_is_what_its_schema_says(self, option: Option[Any], value: object) -> None:
        if repr(value) in NOT_IN_SCHEMAS or "nan" in repr(value):
            return
        schema = Draft202012Validator(options_schema(VERSION)["properties"][option.name])
        assert schema.is_valid(value) == (option.problems(value, VERSION) == [])

    @pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
    def test_a_value_is_refused_by_name_or_can_be_applied(self, option: Option[Any], value: object) -> None:
        if problems := option.problems(value, VERSION):
            assert all(problem.startswith(f"options.{option.name}") for problem in problems)
            return
        read = option.read(value, VERSION)
        again = option.read(json.loads(json.dumps(read)), VERSION)
        assert option.problems(read, VERSION) == [] and again == read
        draft = draft_of_nothing()
        option.apply(read, draft)
        wish = draft.wish()
        assert wish.forbidden.dtype == np.int64 and all(np.isfinite(value) for _, value in wish.additions)

    def test_its_default_forbids_nothing_and_adds_nothing(self, option: Option[Any]) -> None:
        draft = draft_of_nothing()
        option.apply(option.default, draft)
        assert (draft.additions, draft.forbidden, draft.allowed, draft.notes) == ({}, [], None, [])
        assert draft.new.tolist() == [2, 3]


def draft_of_nothing() -> Draft:
    nothing = pa.array([None] * 3, pa.string())
    table = {"item_id": ["sku-1", "2", "3"], "title": ["a", "b", "c"], "train_count": [1, 0, 0]}
    filters = {name: pa.array([1.0] * 3) if number else nothing for name, number in VERSION.filters.items()}
    return Draft(
        ItemTable(pa.table({**table, **filters})),
        np.array([1]),
        (),
        np.array([2, 3]),
        [],
        np.zeros(4, np.float32),
    )


def test_what_is_left_out_twice_counts_once() -> None:
    draft = draft_of_nothing()
    draft.held = ["sku-1", "3", "never heard of", "3"]
    for option, value in ((Exclude(), ["3"]), (ExcludeSessionItems(), True)):
        option.apply(value, draft)
    assert draft.wish().forbidden.tolist() == [1, 3]


@pytest.mark.parametrize("option", [Exclude(), NewItems()], ids=lambda option: option.name)
def test_ids_that_the_catalogue_does_not_have_are_noted(option: Option[list[str]]) -> None:
    draft = draft_of_nothing()
    option.apply(["2", "nope", *(f"n{number}" * 50 for number in range(90))], draft)
    [note] = draft.notes
    assert note.startswith(f"options.{option.name}: 'nope', 'n0n0")
    assert note.endswith("and 86 more ignored, since the catalogue has no such item") and len(note) < 300
    assert (draft.forbidden, draft.new.tolist()) == (([2], [2, 3]) if option.name == "exclude" else ([], [2]))


def test_what_has_no_effect_is_noted() -> None:
    draft = draft_of_nothing()
    NewItems().apply(["sku-1", "3"], draft)
    NewItemBoost().apply(0.0, draft)
    assert draft.new.tolist() == [3] and draft.additions == {}
    assert draft.notes == [
        "options.new_items: 'sku-1' ignored, since new are items without training history that can be "
        "recommended",
        "options.new_items: ignored, since new_item_boost is 0",
    ]
    NewItemBoost().apply(2.0, draft)
    assert len(draft.notes) == 2


def test_a_version_without_defaults_leaves_those_of_the_options() -> None:
    checked = check_options("", dataclasses.replace(VERSION, defaults={}))
    assert (checked["top_k"], checked["new_item_boost"]) == (20, 0.0)


def test_all_options() -> None:
    text = (
        '{"top_k": 3, "exclude": ["a", 12], "exclude_session_items": true, "filters": {"aisle": "tea"}, '
        '"new_item_boost": 1.5, "new_items": ["b", 13], "request_id": "r-1", "popularity": 0, '
        '"session_key": 5, "candidates": ["a", {"item_id": 9, "price": 1}], "explain": true}'
    )
    assert check_options(text, VERSION) == {
        **{option.name: option.default for option in OPTIONS},
        "top_k": 3,
        "exclude": ["a", "12"],
        "exclude_session_items": True,
        "filters": {"aisle": "tea"},
        "new_item_boost": 1.5,
        "new_items": ["b", "13"],
        "request_id": "r-1",
        "popularity": 0,
        "session_key": "5",
        "candidates": ["a", {"item_id": "9", "price": 1}],
        "explain": True,
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
        ({"top_k": 10_001}, "options.top_k"),
        ({"top_k": "5"}, "options.top_k"),
        ({"exclude": "a"}, "options.exclude"),
        ({"exclude": [["a"]]}, "options.exclude"),
        ({"exclude": [True]}, "options.exclude"),
        ({"candidates": ["a", False]}, "options.candidates[1]"),
        ({"exclude_session_items": 1}, "options.exclude_session_items"),
        ({"filters": ["a"]}, "options.filters"),
        ({"new_item_boost": "high"}, "options.new_item_boost"),
        ({"new_item_boost": float("inf")}, "options.new_item_boost"),
        ({"new_item_boost": -1000.5}, "options.new_item_boost"),
        ({"new_items": "all"}, "options.new_items"),
        ({"request_id": ""}, "options.request_id"),
        ({"request_id": "x" * 129}, "options.request_id"),
        ({"popularity": 1.5}, "options.popularity"),
        ({"popularity": -1}, "options.popularity"),
        ({"popularity": True}, "options.popularity"),
        ({"diversity": "department"}, "options.diversity"),
        ({"diversity": {"by": "aisle"}}, "options.diversity"),
        ({"diversity": {"by": "aisle", "most": 0}}, "options.diversity"),
        ({"diversity": {"by": "colour", "most": 1}}, "options.diversity.by"),
        ({"candidates": "a"}, "options.candidates"),
        ({"candidates": [{"price": 1}]}, "options.candidates[0]"),
        ({"candidates": ["a", {"item_id": "", "price": 1}]}, "options.candidates[1]"),
        ({"candidates": ["a"] * 10_001}, "options.candidates"),
        ({"candidates": [{"item_id": n} for n in range(1001)]}, "options.candidates"),
        ({"explain": 1}, "options.explain"),
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


@pytest.mark.parametrize(
    "wanted",
    [{"all": "a"}, {"all": []}, {"all": [{}]}, {"not": {}}, {"not": {"not": "a"}}, {"not": None}, {"min": 1}],
)
def test_unusable_conditions(wanted: object) -> None:
    with pytest.raises(ServerError, match=r"options\.filters\.tags: expected a value, a list .* all or not"):
        check_options(json.dumps({"filters": {"tags": wanted}}), VERSION)


@pytest.mark.parametrize(
    ("mark", "wanted", "read"),
    [
        (".", {"min": "1.299", "not": ["7", 8]}, {"min": 1.299, "not": [7.0, 8.0]}),
        (".", " 1e3 ", 1000.0),
        (",", {"max": "1.299"}, {"max": 1299.0}),
        (",", ["1.299,50", "12,5", 12.5, "7"], [1299.5, 12.5, 12.5, 7.0]),
    ],
)
def test_numbers_in_texts_are_those_of_the_table(mark: str, wanted: object, read: object) -> None:
    version = dataclasses.replace(VERSION, filters={"price": mark})
    assert check_options(json.dumps({"filters": {"price": wanted}}), version)["filters"] == {"price": read}
    attribute = parse_attribute(name="price", kind="numeric", decimal=mark)
    if isinstance(wanted, list):
        values = [attribute.filter_values(pd.Series([each], dtype=object)).to_pylist()[0] for each in wanted]
        assert values == read


@pytest.mark.parametrize(
    "wanted", [{}, {"from": 1}, {"min": "one"}, {"max": "inf"}, "7 euros", "1_000", "1,5", True, [None]]
)
def test_unusable_numbers(wanted: object) -> None:
    with pytest.raises(ServerError, match=r"options\.filters\.price: expected a number"):
        check_options(json.dumps({"filters": {"price": wanted}}), VERSION)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"price": {"min": 10, "max": 5}}, "options.filters.price: min 10 is above max 5, so no item has it"),
        ({"aisle": []}, "options.filters.aisle: an empty list names no value, so no item has it"),
    ],
)
def test_a_filter_that_lets_nothing_pass_is_told(wanted: dict[str, Any], told: str) -> None:
    draft = draft_of_nothing()
    Filters().apply(Filters().read(wanted, VERSION), draft)
    assert told in draft.notes
    assert draft.allowed is not None and not draft.allowed[1:].any()
