from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from jsonschema import Draft202012Validator

from m2trec_merlin.config import Config
from m2trec_merlin.data.counting import check_data
from m2trec_merlin.data.schema import schemas
from m2trec_merlin.errors import DataError
from tests.readers.test_contract import EXAMPLES
from tests.worlds.tables import ATTRIBUTES, EVENTS, ITEMS, MakeConfig


def validators(config: Config) -> dict[str, Draft202012Validator]:
    found = json.loads(json.dumps(schemas(config)))
    for schema in found.values():
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        Draft202012Validator.check_schema(schema)
    return {name: Draft202012Validator(schema) for name, schema in found.items()}


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """As JSON has them: no types of pandas, null where there is nothing."""
    found: list[dict[str, Any]] = json.loads(table.to_json(orient="records", date_format="iso"))
    return found


def errors(validator: Draft202012Validator, table: list[dict[str, Any]]) -> list[str]:
    return [error.json_path for row in table for error in validator.iter_errors(row)]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_rows_of_valid_tables_satisfy_it(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, suffix: str
) -> None:
    config = make_config(events, items, suffix)
    assert check_data(config).as_dict()["items"] == 4
    for name, table in (("interactions", events), ("items", items)):
        found = rows(table)
        if suffix == "csv":  # as one reads it without types
            with Path(config.data.model_dump()[name]).open(newline="") as file:
                found = list(csv.DictReader(file))
        assert errors(validators(config)[name], found) == []


def test_columns_that_tell_which_events_count_must_be_there(make_config: MakeConfig) -> None:
    config = make_config(EVENTS.assign(left=1), ITEMS, keep=[{"column": "left", "at_least": 1}])
    assert "left" in schemas(config)["interactions"]["required"]


def test_columns_are_called_as_in_the_source(make_config: MakeConfig) -> None:
    config = make_config(
        EVENTS.rename(columns={"session_id": "basket"}),
        ITEMS.rename(columns={"item_id": "sku", "title": "name"}),
        columns={"session_id": "basket", "item_id": "sku", "order": "position"},
        attributes=[{**ATTRIBUTES[0], "column": "name"}, *ATTRIBUTES[1:]],
    )
    found = schemas(config)
    assert found["interactions"]["required"] == ["basket", "sku", "position"]
    assert found["items"]["required"] == ["sku", "name", "category", "price"]
    assert "attribute 'title' of kind text" in found["items"]["properties"]["name"]["description"]


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("interactions", "session_id", None),
        ("interactions", "session_id", ""),
        ("interactions", "session_id", "x"),  # split by modulus
        ("interactions", "item_id", 1.5),
        ("interactions", "position", "soon"),
        ("interactions", "position", None),
        ("items", "item_id", None),
        ("items", "price", "cheap"),
        ("items", "price", ["1"]),
        ("items", "title", ["red", "apple"]),
    ],
)
def test_a_row_that_the_check_refuses_does_not_satisfy_it(
    make_config: MakeConfig, table: str, column: str, value: Any
) -> None:
    tables = {"interactions": EVENTS.astype(object), "items": ITEMS.astype(object)}
    tables[table].at[1, column] = value
    validator = validators(make_config(EVENTS, ITEMS))[table]
    assert errors(validator, rows(tables[table])) == [f"$.{column}"]
    # The tables as CSV, in which a list is a text that may be no mistake.
    if not isinstance(value, list):
        with pytest.raises(DataError, match=column):
            check_data(make_config(tables["interactions"], tables["items"]))


def test_a_column_that_is_not_there(make_config: MakeConfig) -> None:
    validator = validators(make_config(EVENTS, ITEMS))["items"]
    [error] = list(validator.iter_errors({"item_id": 1, "title": "x", "category": None}))
    assert "'price' is a required property" in error.message


def test_a_column_that_serves_twice_has_to_suit_both(make_config: MakeConfig) -> None:
    attributes = [*ATTRIBUTES, {"name": "dear", "kind": "numeric", "column": "price", "log": True}]
    validator = validators(make_config(EVENTS, ITEMS, attributes=attributes))["items"]
    assert errors(validator, rows(ITEMS)) == []
    assert errors(validator, rows(ITEMS.assign(price=-1.0)))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(("price", "is_valid"), [("", True), (" ", True), ("2,5", False), ("-", False)])
def test_a_blank_number_is_missing_to_the_schema_and_to_the_check(
    make_config: MakeConfig, price: str, is_valid: bool, suffix: str
) -> None:
    items = ITEMS.assign(price=["1.5", price, "2", None])
    config = make_config(EVENTS, items, suffix=suffix)
    assert validators(config)["items"].is_valid(rows(items)[1]) == is_valid
    if is_valid:
        check_data(config)
    else:
        with pytest.raises(DataError, match="is not a finite number"):
            check_data(config)


@pytest.mark.parametrize(
    ("time_format", "good", "bad"),
    [
        ("s", [1700000000, "1700000000"], ["today"]),
        ("ISO8601", ["2024-01-01", "2024-01-01T10:00Z"], ["soon", 5]),
    ],
)
def test_times(make_config: MakeConfig, time_format: str, good: list[Any], bad: list[Any]) -> None:
    config = make_config(EVENTS, ITEMS, options={"time_format": time_format})
    validator = validators(config)["interactions"]
    row = {"session_id": 1, "item_id": 10}
    assert [validator.is_valid({**row, "position": value}) for value in good] == [True] * len(good)
    assert [validator.is_valid({**row, "position": value}) for value in bad] == [False] * len(bad)


def test_dates_of_listing(make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame) -> None:
    dated = items.assign(released=["2020-03-01", None, "", "2020-03-02T10:00:00"])
    events["when"] = "2020-03-03"
    config = make_config(events, dated, columns={"order": "when"}, listed={"column": "released"})
    found = validators(config)["items"]
    assert errors(found, rows(dated)) == []
    assert errors(found, rows(dated.assign(released="spring"))) == ["$.released"] * 4


@pytest.mark.parametrize("source", sorted(EXAMPLES))
def test_every_source_gives_rows_that_satisfy_it(source: str, tmp_path: Path) -> None:
    data = EXAMPLES[source](tmp_path, 10)
    attributes = [{"name": "title", "kind": "text"}]
    config = Config.model_validate({"name": "shop", "data": data.model_dump(), "attributes": attributes})
    reader = config.data.open(0)
    tables = {"items": reader.items().head(50), "interactions": next(iter(reader.interactions())).head(50)}
    origins = {"items": reader.items_origin, "interactions": reader.interactions_origin}
    checks = validators(config)
    for name in tables:
        validator = checks[name]
        own = tables[name].rename(columns=dict(origins[name].columns))
        keep = [column for column in own if column in validator.schema["properties"]]
        assert set(keep) == set(validator.schema["required"])
        assert errors(validator, rows(own[keep])) == []


def test_a_configuration_satisfies_its_schema(make_config: MakeConfig) -> None:
    config = make_config(EVENTS, ITEMS)
    validator = validators(config)["configuration"]
    written = config.model_dump(mode="json", exclude_unset=True)
    assert errors(validator, [written]) == []
    assert errors(validator, [{**written, "seed": -1}]) == ["$.seed"]
    assert errors(validator, [{**written, "sed": 1}]) == ["$"]


def test_a_column_of_users_is_called_so(make_config: MakeConfig) -> None:
    config = make_config(
        EVENTS.rename(columns={"session_id": "user"}),
        ITEMS,
        columns={"item_id": "item_id", "order": "position"},
        sessions={"user": "user", "gap": "30 min"},
        options={"time_format": "s"},
        split={"kind": "time"},
    )
    found = schemas(config)["interactions"]
    assert found["required"] == ["user", "item_id", "position"]
    assert "user" in found["properties"]["user"]["description"]
