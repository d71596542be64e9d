"""Raw attributes of new items by a real items workflow: what is used, and what is said of the rest."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from m2trec_merlin.contract.version import Description
from m2trec_merlin.errors import MissingDependencyError, ServerError
from m2trec_merlin.serving.runtime.reading.new_items import Ignored, NewItemEncoder, summed_up
from m2trec_merlin.serving.runtime.reading.parsing import RawSession
from m2trec_merlin.serving.runtime.reading.sessions import ReadSession, SessionReader
from m2trec_merlin.serving.runtime.steps import PreprocessStep
from tests.worlds.shop import Shop


@pytest.fixture(scope="module")
def reader(shop: Shop) -> SessionReader:
    return PreprocessStep(shop.preprocess).reader


def read(reader: SessionReader, *items: dict[str, Any]) -> ReadSession:
    [session] = reader.read([RawSession([""] * len(items), [json.dumps(item) for item in items])])
    assert isinstance(session, ReadSession), session
    return session


@pytest.mark.parametrize(
    ("price", "what"),
    [
        ("$12.99", "'$12.99' is not a finite number"),
        ("12,50", "'12,50' is not a finite number"),
        ("n/a", "'n/a' is not a finite number"),
        (True, "true is not a finite number"),
        ([12.5], "[12.5] is a list, not a number"),
        ({"value": 1}, '{"value": 1} is not a finite number'),
        ("2024-01-05", "'2024-01-05' is not a finite number"),
        (float("inf"), "Infinity is not a finite number"),
        (10**99, "1000000000000000000000000000000000000... is beyond the numbers of float32 (3.4e38)"),
        (1e39, "1e+39 is beyond the numbers of float32 (3.4e38)"),
        (-5, "-5 is below 0, and log needs numbers of at least 0"),
    ],
)
def test_an_unusable_price_counts_as_missing_and_is_told(
    reader: SessionReader, price: object, what: str
) -> None:
    session = read(reader, {"product_name": "red bread", "price": 3.0}, {"product_name": "x", "price": price})
    assert session.notes == [f"item_attributes[1]: price {what}, so it counts as missing"]
    alone = read(reader, {"product_name": "x", "price": price}).new_items["price"].values
    missing = read(reader, {"product_name": "x", "price": None})
    assert session.new_items["price"].values[1:] == alone == missing.new_items["price"].values
    assert not missing.notes


def test_a_value_means_the_same_whatever_is_encoded_with_it(shop: Shop) -> None:
    """A batch holds items of several clients, and the cache keeps what it found."""
    version = Description.open(shop.preprocess)
    version = replace(version, filters={"department": "", "tags": "", "price": "."})
    encoder = NewItemEncoder.of(shop.preprocess, version)
    assert encoder is not None

    def encoded(*values: object) -> list[tuple[dict[str, list[float]], list[str], dict[str, Any]]]:
        columns = ("product_name", "department", "tags", "price")
        found = encoder.encode([dict.fromkeys(columns, value) for value in values])
        return [
            ({name: each.values.tolist() for name, each in item.encoded.items()}, item.ignored, item.values)
            for item in found
        ]

    given = (True, 0.0, 1, "1", 10**20, [1.5, True], [True])
    alone = [encoded(value)[0] for value in given]
    for one, other in permutations(range(len(given)), 2):
        assert encoded(given[one], given[other]) == [alone[one], alone[other]], (given[one], given[other])


@pytest.mark.parametrize("image", [[0.5, True, 1], [True, 0.5, 1], [True, True, False]])
def test_truth_values_are_no_vector_in_whatever_order(reader: SessionReader, image: list[object]) -> None:
    session = read(reader, {"image": [0.5, 1, 2]}, {"image": image})
    told = f"image {json.dumps(image)} holds values that are not finite numbers, so it counts as missing"
    assert session.notes == [f"item_attributes[1]: {told}"]
    assert session.new_items["image"].of(1).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("price", [12.5, "12.50", "1.25e1", 3e38, 0, 1e-40])
def test_a_usable_price_is_not_mentioned(reader: SessionReader, price: object) -> None:
    session = read(reader, {"product_name": "red bread", "price": price})
    assert session.notes == [] and np.isfinite(session.new_items["price"].values).all()


def test_entries_of_a_vector_beyond_float32_are_told(reader: SessionReader) -> None:
    [note] = read(reader, {"image": [1e39, 0.5, 1]}).notes
    assert note.startswith(
        "item_attributes[0]: image [1e+39, 0.5, 1] holds values that are not finite numbers"
    )


def test_categories_that_the_model_never_met_are_told(reader: SessionReader) -> None:
    known = {"product_name": "a word never met", "department": "dairy", "tags": ["local"]}
    session = read(reader, known, {"department": "pharmacy", "tags": "local|vegan|raw|vegan"})
    assert session.notes == [
        "item_attributes[1]: department: the model does not know 'pharmacy', so nothing is concluded from it",
        "item_attributes[1]: tags: the model does not know 'vegan', 'raw', so nothing is concluded from it",
    ]


def test_of_many_items_a_column_and_reason_is_told_once() -> None:
    unknown = [Ignored("brand", (f"b{n}",)) for n in range(7)]
    items = [[each, Ignored("price", (n % 2,), "is too low")] for n, each in enumerate(unknown[:6])]
    assert summed_up([*items, [unknown[6], unknown[0]], []]) == [
        "brand: the model does not know 'b0', 'b1', 'b2', 'b3', 'b4' and 2 more, so nothing is concluded "
        "from it (7 items)",
        "price 0, 1 is too low, so it counts as missing (6 items)",
    ]
    assert summed_up([[], [Ignored("brand", ("b",)), Ignored("brand", ("c",))]]) == [
        "brand: the model does not know 'b', 'c', so nothing is concluded from it (1 item)"
    ]


def test_a_list_that_is_written_as_text_counts_as_missing_as_it_is_told(reader: SessionReader) -> None:
    bread = {"product_name": "red bread", "department": "dairy"}
    session = read(reader, {**bread, "tags": "['local', 'raw']"}, {**bread, "product_name": "['red']"})
    assert session.notes == [
        "item_attributes[0]: tags '['local', 'raw']' is a list written as text, so it counts as missing",
    ]
    ids, missing = session.new_items["tags"], read(reader, bread).new_items["tags"]
    assert ids.of(0).tolist() == missing.of(0).tolist()


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ("product_name", "is a list, not a single value"),
        ("department", "is a list, not a single value"),
        ("tags", "is neither a value nor a list of values"),
        ("price", "is a list, not a number"),
    ],
)
@pytest.mark.parametrize("value", [[["x"]], [{"a": 1}], {"a": [1]}, {}])
def test_what_holds_several_values_counts_as_missing_and_is_told(
    reader: SessionReader, column: str, what: str, value: Any
) -> None:
    described = {"product_name": "red bread", "department": "dairy", "tags": "local", "price": 2.0}
    session = read(reader, described, {**described, column: value})
    [note] = session.notes
    if isinstance(value, dict) and column != "tags":
        what = "is not a finite number" if column == "price" else "is an object, not a single value"
    assert note == f"item_attributes[1]: {column} {json.dumps(value)} {what}, so it counts as missing"
    others = {name: each for name, each in described.items() if name != column}
    missing = read(reader, described, others).new_items
    assert {name: each.of(1).tolist() for name, each in session.new_items.items()} == {
        name: each.of(1).tolist() for name, each in missing.items()
    }


def test_a_vector_of_another_length_is_refused_in_one_line(reader: SessionReader) -> None:
    [error] = reader.read([RawSession([""], [json.dumps({"image": [1.0, 2.0]})])])
    assert isinstance(error, ServerError)
    assert str(error).startswith("item_attributes: attribute 'image': ") and "\n" not in str(error)


def test_what_keeps_items_from_being_read_is_told_again_and_again_without_growing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One exception is raised for all requests, and would hold on to what each of them was."""
    monkeypatch.setitem(sys.modules, "m2trec_merlin.workflows.storage", None)
    encoder = NewItemEncoder.of(shop.preprocess, Description.open(shop.preprocess), in_background=True)
    assert encoder is not None
    frames = []
    for _ in range(3):
        with pytest.raises(MissingDependencyError, match="raw attributes need NVTabular") as failure:
            encoder.encode([{"product_name": "red apple"}])
        frames.append(len(failure.traceback))
    assert len(set(frames)) == 1
