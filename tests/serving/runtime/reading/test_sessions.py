from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from m2trec_merlin.contract.version import Description, RawAttribute
from m2trec_merlin.encoded import EncodedColumn, Field, Layout
from m2trec_merlin.errors import DataError, M2TRecError, ServerError
from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.serving.runtime.reading.cached_items import NewItem
from m2trec_merlin.serving.runtime.reading.parsing import RawSession
from m2trec_merlin.serving.runtime.reading.sessions import ReadSession, SessionReader

PRICE = RawAttribute(Field("price", Layout.NUMBERS), "list_price")


def version(*attributes: RawAttribute) -> Description:
    return Description(4, attributes, {}, {}, 1, repeat_biases=False, neighbours=False, index="exact")


class DoublingEncoder:
    """Stands in for NVTabular: a price is encoded as its double, a negative one cannot be encoded."""

    def __init__(self) -> None:
        self.calls = 0

    def encode(self, items: Sequence[dict[str, Any]]) -> list[NewItem]:
        self.calls += 1
        prices = [item["list_price"] for item in items]
        if min(prices) < 0:
            raise DataError("attribute 'price'", ["below zero"])
        return [
            NewItem(
                {"price": EncodedColumn(PRICE.field, np.array([price], np.float32) * 2)},
                ["list_price is high"] if price > 100 else [],
            )
            for price in prices
        ]


@pytest.fixture
def encoder() -> DoublingEncoder:
    return DoublingEncoder()


@pytest.fixture
def reader(encoder: DoublingEncoder) -> SessionReader:
    return SessionReader(lambda: ("0", RowsOfIds(["a", "b", "c"])), version(PRICE), encoder)


def read_all(
    reader: SessionReader, *sessions: tuple[list[str], list[str] | None]
) -> list[ReadSession | M2TRecError]:
    return reader.read([RawSession(*session) for session in sessions])


def read(reader: SessionReader, ids: list[str], attributes: list[str] | None = None) -> ReadSession:
    [session] = reader.read([RawSession(ids, attributes)])
    if isinstance(session, M2TRecError):
        raise session
    return session


def raw(price: float, **more: object) -> str:
    return json.dumps({"list_price": price, **more})


def test_known_ids_become_rows_without_touching_the_encoder(
    reader: SessionReader, encoder: DoublingEncoder
) -> None:
    session = read(reader, ["c", "a", "c"])
    assert session.rows.tolist() == [3, 1, 3]
    assert session.notes == [] and encoder.calls == 0
    assert session.new_items["price"].values.shape == (0,)


def test_an_unknown_id_is_ignored_and_reported(reader: SessionReader) -> None:
    session = read(reader, ["a", "nope", "b"])
    assert session.rows.tolist() == [1, 2]
    assert len(session.notes) == 1 and "item_ids[1]" in session.notes[0] and "'nope'" in session.notes[0]


def test_empty_positions_are_padding(reader: SessionReader) -> None:
    session = read(reader, ["a", "", ""], ["", "", ""])
    assert session.rows.tolist() == [1] and session.notes == []


def test_raw_attributes_become_new_items_in_order(reader: SessionReader) -> None:
    session = read(reader, ["", "b", "nope"], [raw(5), "", raw(7)])
    assert session.rows.tolist() == [-1, 2, -2]
    assert session.new_items["price"].values.tolist() == [10, 14]


def test_a_known_id_wins_over_attributes(reader: SessionReader, encoder: DoublingEncoder) -> None:
    assert read(reader, ["b"], [raw(5)]).rows.tolist() == [2]
    assert encoder.calls == 0


def test_only_the_last_events_are_kept_and_encoded(reader: SessionReader) -> None:
    session = read(reader, ["", "a", "", "nope", "b", "c"], [raw(1), "", raw(2), "", "", ""])
    assert session.rows.tolist() == [1, -1, 2, 3]
    assert session.new_items["price"].values.tolist() == [4]


def test_attributes_that_the_model_does_not_read_are_noted(reader: SessionReader) -> None:
    assert "ignored 'colour'" in read(reader, [""], [raw(1, colour="red")]).notes[0]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (["", ""], "item_attributes has 2 positions and item_ids 1"),
        (["{"], r"item_attributes\[0\]: not valid JSON"),
        (["[1]"], r"item_attributes\[0\]: expected a JSON object with any of list_price"),
        (['{"price": 1}'], r"item_attributes\[0\]: holds none of the attributes .*list_price"),
        (["{}"], r"item_attributes\[0\]: holds none"),
        ([raw(-1)], "item_attributes: attribute 'price'"),
    ],
)
def test_unusable_attributes_are_refused(reader: SessionReader, attributes: list[str], message: str) -> None:
    with pytest.raises(ServerError, match=message):
        read(reader, [""], attributes)


def test_all_faulty_positions_are_reported(reader: SessionReader) -> None:
    with pytest.raises(ServerError, match=r"item_attributes\[0\].*item_attributes\[1\]"):
        read(reader, ["", ""], ["{", "5"])


def test_a_batch_is_encoded_in_one_pass(reader: SessionReader, encoder: DoublingEncoder) -> None:
    sessions = read_all(reader, ([""], [raw(1)]), (["a"], None), (["", ""], [raw(2), raw(3)]))
    assert encoder.calls == 1
    prices = [s.new_items["price"].values.tolist() for s in sessions if isinstance(s, ReadSession)]
    assert prices == [[2], [], [4, 6]]


def test_an_item_that_is_described_twice_is_one_item(reader: SessionReader, encoder: DoublingEncoder) -> None:
    session = read(reader, ["x", "a", "x", "y"], [raw(1), "", raw(1), raw(1)])
    assert session.rows.tolist() == [-1, 1, -1, -2], "another id is another item"
    assert session.new_items["price"].values.tolist() == [2, 2]
    assert (session.raw_items, session.unknown_ids) == (3, 3)
    assert read(reader, ["", "", ""], [raw(2), raw(2), raw(3)]).rows.tolist() == [-1, -1, -2]


def test_a_faulty_session_spoils_no_other(reader: SessionReader) -> None:
    sessions = read_all(reader, ([""], [raw(1)]), ([""], [raw(-1)]), ([""], ["{"]), (["a"], None))
    kinds = [isinstance(session, ReadSession) for session in sessions]
    assert kinds == [True, False, False, True]


def test_what_is_ignored_of_an_item_is_told_with_its_position(reader: SessionReader) -> None:
    sessions = read_all(
        reader,
        (["", "a", ""], [raw(1), "", raw(101)]),
        (["", "nope"], [raw(102), ""]),
        ([""], [raw(2)]),
    )
    notes = [session.notes for session in sessions if isinstance(session, ReadSession)]
    assert notes[0] == ["item_attributes[2]: list_price is high"]
    assert [note.split(":")[0] for note in notes[1]] == ["item_ids[1]", "item_attributes[0]"]
    assert notes[2] == []


def test_warnings_are_few_and_short_whatever_a_request_holds(reader: SessionReader) -> None:
    session = read(reader, ["a", *("x" * 10_000 for _ in range(1000))])
    assert len(session.notes) == 21 and session.notes[-1] == "and 980 more warnings of this kind"
    assert max(map(len, session.notes)) < 250
    [note] = read(reader, [""], [raw(1, **{f"more {n}": 1 for n in range(99)})]).notes
    assert "ignored 'more 0', 'more 1', 'more 2', 'more 3', 'more 4' and 94 more; the model reads" in note


def test_a_model_of_ids_takes_no_attributes() -> None:
    reader = SessionReader(lambda: ("0", RowsOfIds(["a"])), version(), None)
    assert read(reader, ["a"]).rows.tolist() == [1]
    with pytest.raises(ServerError, match="needs the id of each item"):
        read(reader, [""], ['{"title": "x"}'])
