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


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "9" * 5000, ""])
def test_what_cannot_be_read_names_its_place(text: str) -> None:
    with pytest.raises(ServerError, match=r"^item_attributes\[3\]: not valid JSON \("):
        parse_json(text, "item_attributes[3]")
