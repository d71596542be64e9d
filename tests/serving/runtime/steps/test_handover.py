from __future__ import annotations

import dataclasses
import io
import json

import numpy as np
import pytest

from m2trec_merlin.contract.version import Description, RawAttribute
from m2trec_merlin.encoded import EncodedColumn, Field, Layout, split_items
from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.runtime.options import check_options
from m2trec_merlin.serving.runtime.requests import Request
from m2trec_merlin.serving.runtime.steps.handover import as_arrays, hand_over, one_session, receive
from tests.worlds.encoded import tiny_catalogue

FIELDS = [column.field for column in tiny_catalogue().attributes.values()]


@pytest.fixture
def version() -> Description:
    raw = tuple(RawAttribute(field, field.name) for field in FIELDS)
    filters = {"tags": "", "price": "."}
    return Description(4, raw, filters, {}, 1, repeat_biases=False, neighbours=False, index="exact")


@pytest.fixture
def request_(version: Description) -> Request:
    two, _ = split_items(tiny_catalogue().attributes, [2, tiny_catalogue().n_rows - 2])
    options = check_options('{"top_k": 3}', version)
    return Request(np.array([5, -1, 2, -2]), two, options, ["so it is"], "r-1", "7")


def test_a_request_comes_over_as_it_was(request_: Request, version: Description) -> None:
    taken = receive(hand_over(request_, version), version, lambda catalogue: 6)
    assert taken.rows.tolist() == [5, -1, 2, -2]
    assert (taken.options, taken.notes) == (request_.options, request_.notes)
    assert (taken.request_id, taken.catalogue) == ("r-1", "7")
    for name, column in request_.new_items.items():
        for mine, other in zip(column.tensors.values(), taken.new_items[name].tensors.values(), strict=True):
            np.testing.assert_array_equal(mine, other)


def test_attributes_may_be_called_like_an_argument_of_savez(version: Description) -> None:
    numbers = EncodedColumn(Field("file", Layout.NUMBERS), np.array([0.5], np.float32))
    files = dataclasses.replace(version, attributes=(RawAttribute(numbers.field, "file"),))
    request = Request(np.array([-1]), {"file": numbers}, check_options("", version), [], "r-1", "7")
    taken = receive(hand_over(request, files), files, lambda catalogue: 6)
    assert taken.new_items["file"].values.tolist() == [0.5]


def test_candidates_outside_of_the_catalogue_come_behind_the_session(
    request_: Request, version: Description
) -> None:
    told = dataclasses.replace(request_, rows=np.array([5, -1]), outside={"mine": {}}, places=[0, 3])
    taken = receive(hand_over(told, version), version, lambda catalogue: 6)
    assert (taken.outside, taken.places) == ({"mine": {}}, [0, 3])
    assert all(len(column) == 2 for column in taken.new_items.values())
    values = {"mine": {"tags": ["a", "b"], "price": 2.5}, "other": {"tags": None, "price": None}}
    alone = dataclasses.replace(told, rows=np.array([5, 4]), outside=values)
    read = receive(hand_over(alone, version), version, lambda catalogue: 6).outside
    assert read == values and list(read) == ["mine", "other"]


def test_known_items_take_no_room(request_: Request, version: Description) -> None:
    tensors = hand_over(dataclasses.replace(request_, rows=np.array([1, 2])), version)
    assert tensors["new_items"].tolist() == [b""]
    assert all(
        len(column) == 0 for column in receive(tensors, version, lambda catalogue: 6).new_items.values()
    )


def packed(tensors: dict[str, np.ndarray], **changed: np.ndarray) -> np.ndarray:
    with np.load(io.BytesIO(tensors["new_items"][0])) as arrays:
        content = {**arrays, **changed}
    out = io.BytesIO()
    np.savez(out, **content)
    return np.array([out.getvalue()], dtype=object)


def of_text(text: str) -> np.ndarray:
    return np.array([text.encode()], dtype=object)


def with_ids(tensors: dict[str, np.ndarray], value: int) -> np.ndarray:
    name = next(field.name for field in FIELDS if field.layout.value == "ids")
    return packed(tensors, **{name: np.full(2, value)})


TAMPERED = {
    "row beyond the catalogue": lambda t: {"rows": np.array([6])},
    "a row that is no item": lambda t: {"rows": np.array([5, -1, 0, -2])},
    "more new items than there are": lambda t: {"rows": np.array([-3])},
    "fewer new items than there are": lambda t: {"rows": np.array([-1])},
    "too long": lambda t: {"rows": np.arange(5)},
    "a table of rows": lambda t: {"rows": np.zeros((2, 2), np.int64)},
    "no archive": lambda t: {"new_items": np.array([b"what is this"], dtype=object)},
    "half an archive": lambda t: {"new_items": np.array([t["new_items"][0][:200]], dtype=object)},
    "an archive of something else": lambda t: {"new_items": np.array([packed_alone()], dtype=object)},
    "a compressed archive": lambda t: {"new_items": np.array([compressed(t)], dtype=object)},
    "objects in it": lambda t: {"new_items": packed(t, **{FIELDS[0].tensor_names[0]: np.array([{}, {}])})},
    "ids of no vocabulary": lambda t: {"new_items": with_ids(t, 10_000)},
    "negative ids": lambda t: {"new_items": with_ids(t, -1)},
    "two archives": lambda t: {"new_items": np.concatenate([t["new_items"], t["new_items"]])},
    "no JSON": lambda t: {"checked": of_text("{")},
    "JSON of something else": lambda t: {"checked": of_text("[]")},
    "an option of nobody": lambda t: {"checked": of_text(json.dumps({"options": {"x": 1}, "notes": []}))},
    "candidates that are no items": lambda t: {"checked": said(t, outside={"mine": {}})},
    "candidates without values": lambda t: {"checked": said(t, outside=["mine"])},
    "candidates that are none": lambda t: {"checked": said(t, outside=3)},
    "values of no attribute": lambda t: {"checked": said(t, rows=[5, -1], outside={"mine": {"x": "a"}})},
    "numbers that are texts": lambda t: {"checked": said(t, outside={"mine": {"price": "a"}})},
    "texts that are numbers": lambda t: {"checked": said(t, outside={"mine": {"tags": 7}})},
    "ids held that are no texts": lambda t: {"checked": said(t, held=[7])},
    "places of other events": lambda t: {"checked": said(t, places=[0, 1])},
    "places that are no numbers": lambda t: {"checked": said(t, places=["a", "b", "c", "d"])},
    "no options": lambda t: {"checked": of_text(json.dumps({"notes": []}))},
}


def said(tensors: dict[str, np.ndarray], **changed: object) -> np.ndarray:
    return of_text(json.dumps({**json.loads(tensors["checked"][0]), **changed}))


def compressed(tensors: dict[str, np.ndarray]) -> bytes:
    out = io.BytesIO()
    with np.load(io.BytesIO(tensors["new_items"][0])) as arrays:
        np.savez_compressed(out, **arrays)
    return out.getvalue()


def packed_alone() -> bytes:
    out = io.BytesIO()
    np.savez(out, something=np.zeros(2))
    return out.getvalue()


@pytest.mark.parametrize("how", TAMPERED)
def test_what_the_first_step_did_not_send_is_refused(
    how: str, request_: Request, version: Description
) -> None:
    tensors = hand_over(request_, version)
    with pytest.raises(ServerError, match=r"^m2trec_predict answers what the first step .* to 'm2trec'$"):
        receive({**tensors, **TAMPERED[how](tensors)}, version, lambda catalogue: 6)


def test_a_version_that_cannot_be_opened_is_no_fault_of_who_asks(
    request_: Request, version: Description
) -> None:
    def rows_of(catalogue: str) -> int:
        raise ServerError(f"version {catalogue} of the catalogue is damaged")

    with pytest.raises(ServerError, match=r"^version 7 of the catalogue is damaged$"):
        receive(hand_over(request_, version), version, rows_of)


def test_half_a_character_in_what_is_said_can_be_written_again(
    request_: Request, version: Description
) -> None:
    tensors = hand_over(dataclasses.replace(request_, notes=["so \ud83d is"]), version)
    assert receive(tensors, version, lambda catalogue: 6).notes == ["so \ufffd\ufffd\ufffd is"]


@pytest.mark.parametrize("array", [np.zeros((2, 3)), np.zeros(()), np.zeros((0, 3))])
def test_one_session_is_expected(array: np.ndarray) -> None:
    with pytest.raises(ServerError, match=r"^item_ids: expected shape \[1, ...\], found"):
        one_session("item_ids", array)


def test_batches_have_a_leading_dimension() -> None:
    assert as_arrays({"scores": np.zeros(3)})["scores"].shape == (1, 3)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("item_ids", np.array([[1, 2]]), "item_ids: expected texts"),
        ("item_ids", np.array([[b"a", None]], object), "item_ids: expected texts"),
        ("item_ids", np.array([[[b"a"]]], object), "item_ids: expected two dimensions, found 3"),
        ("rows", np.array([[1.5]]), "rows: expected values of type INT64"),
        ("rows", np.array([[b"1"]], object), "rows: expected values of type INT64"),
    ],
)
def test_tensors_of_another_type_or_shape_are_refused(name: str, array: np.ndarray, message: str) -> None:
    with pytest.raises(ServerError) as error:
        one_session(name, array)
    assert str(error.value).startswith(message)
