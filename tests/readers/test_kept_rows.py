from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from m2trec_merlin.config import Config
from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files.table_file import TableFile
from m2trec_merlin.readers.kept_rows import Condition, KeptRows
from m2trec_merlin.runs.settings import of_data

EVENTS = {
    "order": ["a", "a", "a", "b", "b", "b", "b"],
    "sku": ["1", "2", "9", "1", "3", "2", "2"],
    "name": ["tea", "mug", "damaged", "tea", "jug", "mug", "mug"],
    "quantity": ["2", "1", "-5", "1", " 3 ", "", "-1.0"],
    "event": ["buy", "view", "buy", "Buy", "buy", "view", None],
}


@pytest.fixture(params=["csv", "parquet"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A table as text, and with numbers as numbers."""
    events, path = pd.DataFrame(EVENTS), tmp_path / f"orders.{request.param}"
    if request.param == "csv":
        events.to_csv(path, index=False)
    else:
        events.assign(quantity=pd.to_numeric(events["quantity"])).to_parquet(path)
    return path


def kept(table: Path, *conditions: dict[str, Any]) -> tuple[list[int], list[str]]:
    """Return the numbers of the rows that are kept, and what is told of the others."""
    rows = KeptRows(TableFile(table), [Condition(**each) for each in conditions])
    blocks = list(rows.blocks(["sku"], ["sku"], {}))
    assert all(block.columns.tolist() == ["sku"] for block in blocks)
    return [row for block in blocks for row in block.index], rows.notices()


@pytest.mark.parametrize(
    ("condition", "rows", "told"),
    [
        (
            {"column": "quantity", "at_least": 1},
            [0, 1, 3, 4],
            "3 events left out: 'quantity' is not at least 1",
        ),
        (
            {"column": "quantity", "at_most": 1},
            [1, 2, 3, 6],
            "3 events left out: 'quantity' is not at most 1",
        ),
        (
            {"column": "quantity", "at_least": -1, "at_most": 1.5},
            [1, 3, 6],
            "4 events left out: 'quantity' is not at least -1 and at most 1.5",
        ),
        ({"column": "event", "values": ["view"]}, [1, 5], "5 events left out: 'event' is not view"),
        (
            {"column": "event", "values": ["buy", "Buy"]},
            [0, 2, 3, 4],
            "3 events left out: 'event' is not buy or Buy",
        ),
        # As categories of a catalogue, numbers are equal however they are written.
        (
            {"column": "quantity", "values": ["-1", "2.0"]},
            [0, 6],
            "5 events left out: 'quantity' is not -1 or 2.0",
        ),
        (
            {"column": "quantity", "at_least": 1e6},
            [],
            "all 7 events left out: 'quantity' is not at least 1000000",
        ),
    ],
)
def test_events_for_which_a_condition_holds_are_kept(
    table: Path, condition: dict[str, Any], rows: list[int], told: str
) -> None:
    assert kept(table, condition) == (rows, [f"{told} (data.keep)"])


def test_all_conditions_must_hold(table: Path) -> None:
    bought = {"column": "event", "values": ["buy", "Buy"]}
    rows, told = kept(table, bought, {"column": "quantity", "at_least": 0})
    assert rows == [0, 3, 4]
    assert told == [
        "3 events left out: 'event' is not buy or Buy (data.keep)",
        "1 event left out: 'quantity' is not at least 0 (data.keep)",
    ]
    assert kept(table) == (list(range(7)), [])
    assert kept(table, {"column": "quantity", "at_least": -9}, {"column": "sku", "at_least": 1})[0] == [
        0, 1, 2, 3, 4, 6,
    ]  # fmt: skip


def test_values_left_out_for_their_capitals_are_told(table: Path) -> None:
    bought = {"column": "event", "values": ["buy"]}
    rows, told = kept(table, bought, bought)
    assert rows == [0, 2, 4]
    assert {*told[1:]} == {
        "column 'event': 1 event has 'Buy', which is not 'buy' of data.keep, and so left out: name both, or "
        "write them alike"
    }


def test_what_one_condition_leaves_out_is_there_for_the_others(tmp_path: Path) -> None:
    table = tmp_path / "log.csv"
    table.write_text("sku,event,paid,left\n1,view,-,-\n2,buy,3,1\n3,refund,-3,1\n4,buy,0,1\n")
    paid = {"column": "paid", "at_least": 1}
    # A view needs no price, and that refunds are left out by their price does not mean that there are none.
    assert kept(table, paid, {"column": "event", "values": ["buy"]})[0] == [1]
    assert kept(table, {"column": "event", "values": ["buy", "refund"]}, paid)[0] == [1]
    with pytest.raises(DataError, match=r"'paid': is no number, .* 1 row: row 1 \('-'\)\n.*'left': is no nu"):
        kept(table, paid, {"column": "left", "at_least": 0})


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (
            {"column": "Quantity", "at_least": 0},
            r"no column 'Quantity', which data\.keep names.* mean 'quantity'",
        ),
        (
            {"column": "name", "at_least": 0},
            r"'name': is no number, as at_least .* in 7 rows: row 1 \('tea'\)",
        ),
        (
            {"column": "event", "values": ["sold"]},
            r"never holds sold, which data\.keep names; .* are buy, view, Buy",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(table: Path, condition: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told):
        kept(table, condition)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ({}, "give values, or else at_least, at_most or both"),
        ({"values": ["1"], "at_least": 1}, "give values, or else"),
        ({"at_least": 2, "at_most": 1}, r"at_least 2\.0 is above at_most 1\.0"),
        ({"values": ["buy", " "]}, "values holds an empty one"),
        ({"values": []}, "at least 1 item"),
    ],
)
def test_a_condition_says_one_thing(condition: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Condition(column="quantity", **condition)


def config(table: Path, **data: Any) -> Config:
    columns = {"session_id": "order", "item_id": "sku"}
    settings = {"source": "tables", "interactions": str(table), "columns": columns, **data}
    attributes = [{"name": "name", "kind": "text"}]
    return Config.model_validate({"name": "shop", "data": settings, "attributes": attributes})


def test_what_is_left_out_is_as_if_the_file_did_not_hold_it(table: Path) -> None:
    conditions = [{"column": "quantity", "at_least": 1}]
    source = config(table, keep=conditions).data.open(seed=1)
    events = pd.concat(source.interactions())
    assert events["session_id"].tolist() == ["a", "a", "b", "b"]
    assert events.index.tolist() == [0, 1, 3, 4], "rows are named as they stand in the file"
    items = source.items()
    assert items["name"].tolist() == ["tea", "mug", "jug"], "what only returned goods are is no item"
    assert "3 events left out: 'quantity' is not at least 1 (data.keep)" in source.notices


def test_data_without_conditions_are_as_those_of_before(table: Path) -> None:
    assert "keep" not in of_data(config(table))["data"]
    conditions = [{"column": "quantity", "at_least": 1}]
    assert of_data(config(table, keep=conditions))["data"]["keep"][0]["at_least"] == 1
