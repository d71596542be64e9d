from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.errors import RefusedError
from m2trec_merlin.serving.catalogue.raw_items import as_raw
from m2trec_merlin.serving.client.options import RequestOptions, write_options
from m2trec_merlin.serving.client.requests import build_request, event_attributes_of, id_and_attributes
from m2trec_merlin.serving.runtime.options import OPTIONS


def built(session: list[Any], **options: Any) -> dict[str, list[str]]:
    tensors = build_request(session, write_options(options.pop("top_k", None), options))
    assert {(array.dtype, array.ndim, len(array)) for array in tensors.values()} == {(np.dtype("O"), 2, 1)}
    return {name: [text.decode() for text in array[0]] for name, array in tensors.items()}


def test_a_position_has_an_id_and_attributes() -> None:
    tensors = built([17, {"title": "x"}])
    assert tensors["item_ids"] == ["17", ""] and tensors["item_attributes"] == ["", '{"title": "x"}']
    assert json.loads(tensors["options"][0]) == {}


@pytest.mark.parametrize("gap", [None, float("nan"), pd.NA])
def test_a_gap_is_no_item(gap: Any) -> None:
    with pytest.raises(RefusedError, match="an item is an id or a mapping of attributes, not"):
        built([gap, "7"])


def test_a_table_is_no_session() -> None:
    table: Any = pd.DataFrame({"item_id": ["sku-1"]})
    with pytest.raises(RefusedError, match=r"a session is a list of items, not a table: take its column"):
        built(table)
    assert built(table["item_id"])["item_ids"] == ["sku-1"]


@pytest.mark.parametrize("item", ["sku-1", {"title": "x"}])
def test_a_single_item_is_no_session(item: Any) -> None:
    with pytest.raises(RefusedError, match=r"a session is a list of items: put .* into brackets"):
        built(item)


@pytest.mark.parametrize("option", ["exclude", "new_items", "candidates"])
def test_a_single_item_is_no_list_of_items(option: str) -> None:
    """Letter by letter, "12" would be the items 1 and 2."""
    with pytest.raises(RefusedError, match=rf"^{option} is a list of items: put '12' into brackets$"):
        built(["a"], **{option: "12"})
    for given in (np.array(["7", "12"]), pd.Series([7.0, 12.0]), (str(n) for n in (7, 12))):
        assert json.loads(built(["a"], **{option: given})["options"][0])[option] == ["7", "12"]


def test_a_session_may_be_read_once_only() -> None:
    seen = {"item_id": "a", "event_attributes": {"event": "view"}}
    tensors = built(each for each in [seen])  # type: ignore[arg-type]
    assert tensors["item_ids"] == ["a"] and tensors["event_attributes"] == ['{"event": "view"}']


def test_an_empty_session_has_empty_tensors() -> None:
    assert built([])["item_ids"] == built([])["item_attributes"] == []


def test_options_are_one_object_and_only_what_was_said() -> None:
    said = {"top_k": 3, "exclude": [7], "exclude_session_items": True, "new_items": []}
    nothing: dict[str, Any] = {"candidates": None, "popularity": None}
    tensors = built(["a"], **said, **nothing, filters={"price": {"min": 1}}, x=1)
    assert json.loads(tensors["options"][0]) == {
        **{"top_k": 3, "exclude": ["7"], "exclude_session_items": True, "new_items": [], "x": 1},
        "filters": {"price": {"min": 1}},
    }


def test_every_option_of_a_server_can_be_said() -> None:
    assert {"top_k", *RequestOptions.__annotations__} == {option.name for option in OPTIONS}


def test_candidates_are_ids_or_attributes() -> None:
    tensors = built(["a"], candidates=[7, {"item_id": "x", "price": np.float32(2.5)}], explain=True)
    assert json.loads(tensors["options"][0]) == {
        "candidates": ["7", {"item_id": "x", "price": 2.5}],
        "explain": True,
    }
    assert json.loads(built(["a"], candidates=[])["options"][0])["candidates"] == []


def test_candidates_take_what_sessions_take() -> None:
    row = pd.Series({"item_id": 12.0, "title": "oat milk"})
    sent = json.loads(built(["a"], candidates=[row, {"item_id": 7.0}, 3.0])["options"][0])["candidates"]
    assert sent == [{"item_id": "12", "title": "oat milk"}, {"item_id": "7"}, "3"]


@pytest.mark.parametrize("missing", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT])
def test_an_id_that_a_table_lacks_is_none(missing: object) -> None:
    assert id_and_attributes({"item_id": missing, "title": "oat milk"}) == ("", '{"title": "oat milk"}')


def test_a_gap_in_a_session_is_refused_by_its_place() -> None:
    with pytest.raises(RefusedError, match=r"^item_ids\[2\]: an item is an id or a mapping .* not None"):
        built(["a", {"title": "x"}, None])


def test_half_a_character_is_sent_as_something() -> None:
    assert built(["\ud83d"])["item_ids"] == ["?"]


def test_items_are_ids_or_attributes_or_both() -> None:
    assert id_and_attributes("a") == ("a", "")
    assert id_and_attributes(17) == ("17", "")
    assert id_and_attributes({"item_id": 17}) == ("17", "")
    assert id_and_attributes(17.0) == id_and_attributes(np.float32(17)) == ("17", "")
    assert id_and_attributes("7ä".encode()) == id_and_attributes(np.bytes_("7ä".encode())) == ("7ä", "")
    assert id_and_attributes(17.5) == ("17.5", "")
    assert id_and_attributes(Decimal("7.00")) == ("7", "") and id_and_attributes(Decimal("7.50"))[0] == "7.50"
    item_id, attributes = id_and_attributes({"item_id": "a", "price": 2.5})
    assert item_id == "a" and json.loads(attributes) == {"price": 2.5}
    assert id_and_attributes({"title": "x"})[0] == ""


def test_attributes_may_come_out_of_a_table() -> None:
    _, attributes = id_and_attributes({"price": np.float32(2.5), "image": np.array([1, 2]), "n": np.int64(3)})
    assert json.loads(attributes) == {"price": 2.5, "image": [1, 2], "n": 3}
    _, attributes = id_and_attributes({"price": np.float32(7.1), "image": np.float32([0.1, 1e-9])})
    assert json.loads(attributes) == {"price": 7.1, "image": [0.1, 1e-9]}
    row = pd.Series({"item_id": 7, "title": "oat milk", "price": 2.5, "event_attributes": {"event": "buy"}})
    assert id_and_attributes(row) == ("7", '{"title": "oat milk", "price": 2.5}')
    assert event_attributes_of(row) == '{"event": "buy"}'


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (pd.Timestamp("2024-01-05 10:00"), "2024-01-05 10:00:00"),
        (datetime.date(2024, 1, 5), "2024-01-05"),
        (np.datetime64("2024-01-05T10:00", "ns"), "2024-01-05T10:00:00.000000000"),
        (Decimal("12.50"), 12.5),
        *((pd.NA, None), (pd.NaT, None), (np.datetime64("NaT"), None)),
        ({"b", "a"}, ["a", "b"]),
        ("größe".encode(), "größe"),
    ],
)
def test_what_a_table_holds_is_sent_as_what_it_says(value: object, sent: object) -> None:
    assert json.loads(id_and_attributes({"x": value})[1]) == {"x": sent}


@pytest.mark.parametrize("value", [object(), {(1, 2): 3}, pd.Timedelta("1h")])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(RefusedError, match="cannot be sent: "):
        id_and_attributes({"x": value})


@pytest.mark.parametrize(
    "item_id", [["sku-1"], {"a": 1}, {"sku-1"}, np.array([1, 2]), pd.Series(["sku-1"]), range(2)]
)
def test_what_no_id_can_be_is_refused_by_its_place(item_id: Any) -> None:
    wrong = r"\[1\]: an id is a text or a whole number, not"
    with pytest.raises(RefusedError, match=f"^item_ids{wrong}"):
        built(["a", {"item_id": item_id, "title": "oat milk"}])
    for option in ("exclude", "new_items"):
        with pytest.raises(RefusedError, match=rf"^options\.{option}{wrong}"):
            built(["a"], **{option: ["a", item_id]})
    with pytest.raises(RefusedError, match=rf"^options\.candidates{wrong}"):
        built(["a"], candidates=["a", {"item_id": item_id}])


def test_half_floats_are_the_numbers_that_tables_take_them_for() -> None:
    halves = np.float16([7.1, 0.1, 2.5])
    assert json.loads(id_and_attributes({"image": halves})[1]) == {"image": [7.1015625, 0.099975586, 2.5]}
    assert np.array_equal(np.float32([7.1015625, 0.099975586, 2.5]), halves.astype(np.float32))
    # A single number is one that somebody wrote, an entry of a vector is not.
    assert json.loads(id_and_attributes({"price": np.float16(6.37)})[1]) == {"price": 6.37}
    assert json.loads(as_raw(pd.DataFrame({"image": [halves]}))[0]) == {
        "image": [7.1015625, 0.099975586, 2.5]
    }


def test_attributes_of_events_go_apart_from_those_of_items() -> None:
    told = {"event": "view", "paid": np.float32(2.5)}
    tensors = built(
        [
            "a",
            {"item_id": "b", "event_attributes": told},
            {"title": "tea", "event_attributes": {"event": "buy"}},
            {"item_id": "c", "event_attributes": {}},
        ]
    )
    assert tensors["event_attributes"] == ["", '{"event": "view", "paid": 2.5}', '{"event": "buy"}', ""]
    assert tensors["item_ids"] == ["a", "b", "", "c"]
    assert tensors["item_attributes"] == ["", "", '{"title": "tea"}', ""]
    assert "event_attributes" not in built(["a", {"title": "tea"}])


@pytest.mark.parametrize(
    ("attributes", "sent"),
    [
        *((nothing, "") for nothing in (None, {}, "", float("nan"), np.float32("nan"), pd.NA, pd.NaT)),
        *(([], "[]"), (0, "0"), (False, "false"), (["view"], '["view"]'), (np.array([0]), "[0]")),
    ],
)
def test_what_are_no_attributes_of_an_event_is_left_to_the_server(attributes: Any, sent: str) -> None:
    assert event_attributes_of({"item_id": "a", "event_attributes": attributes}) == sent
