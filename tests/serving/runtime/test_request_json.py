from __future__ import annotations

import json

import pytest

from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.runtime.request_json import parse_json


def test_half_a_character_is_read_as_a_replacement() -> None:
    texts = {"title": "tea \ud83d", "tags": ["\udc00", {"\ud800x": 1}]}
    read = parse_json(json.dumps(texts), "options")
    assert json.dumps(read, ensure_ascii=False).encode().decode().count("\ufffd") >= 3
    assert read["title"].startswith("tea \ufffd")


@pytest.mark.parametrize("value", ["😀 \\ud83d", {"a": [1, 2.5, None, True]}, "\\\\ud83d"])
def test_everything_else_stays_as_it_was_said(value: object) -> None:
    assert parse_json(json.dumps(value), "options") == value


@pytest.mark.parametrize("text", ["{", "", "{}{}"])
def test_what_cannot_be_read_names_its_place(text: str) -> None:
    with pytest.raises(ServerError, match=r"^item_attributes\[3\]: not valid JSON \("):
        parse_json(text, "item_attributes[3]")


@pytest.mark.parametrize("text", ['{"price": 5, "price": 90}', '[{"a": {"price": 1, "b": 2, "price": 1}}]'])
def test_an_object_that_names_something_twice_is_refused(text: str) -> None:
    """One of the values would be lost."""
    with pytest.raises(ServerError, match=r"^options: not valid JSON \('price' stands there twice\)"):
        parse_json(text, "options")


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 33 + "]" * 33, '{"a": ' * 33 + "1" + "}" * 33])
def test_what_is_nested_too_deep_is_refused_before_it_is_read(text: str) -> None:
    with pytest.raises(ServerError, match=r"^options: lists and objects nested deeper than 32"):
        parse_json(text, "options")


def test_brackets_side_by_side_or_in_texts_are_not_deep() -> None:
    for value in ([[]] * 1000, "[" * 1000, {'"[': "\\" + "{" * 99}):
        assert parse_json(json.dumps(value), "options") == value
    assert parse_json("[" * 32 + "]" * 32, "options") != []


@pytest.mark.parametrize("number", ["9" * 101, "9" * 5000, "0." + "1" * 100, "1" * 99 + "e10"])
def test_a_number_of_too_many_digits_is_refused(number: str) -> None:
    with pytest.raises(ServerError, match=r"^options: a number of [0-9,]+ digits; at most 100 are read$"):
        parse_json(f'{{"top_k": {number}}}', "options")


def test_digits_in_texts_and_a_hundred_of_them_are_read() -> None:
    assert parse_json(json.dumps(["9" * 5000, 10**99]), "options") == ["9" * 5000, 10**99]
