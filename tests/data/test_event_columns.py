"""Columns of events: from the source to the canonical interactions, and what is wrong with them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.data.event_columns import EventColumns
from m2trec_merlin.data.preparation import prepare_data
from m2trec_merlin.data.schema import schemas
from m2trec_merlin.data.validation import validate
from m2trec_merlin.errors import DataError
from m2trec_merlin.runs import Run
from tests.worlds.events import EVENT_ATTRIBUTES, events_config, make_events


def prepared(config) -> pd.DataFrame:
    folder = prepare_data(config) / "interactions"
    return pd.concat([pd.read_parquet(part) for part in sorted(folder.rglob("*.parquet"))], ignore_index=True)


def problems(config) -> str:
    with pytest.raises(DataError) as error:
        prepare_data(config)
    return "\n".join(error.value.problems)


def test_raw_columns_come_along_under_the_names_of_their_attributes(tmp_path):
    raw = make_events()
    found = prepared(
        events_config(tmp_path, raw, data={"targets": {"column": "event", "values": ["buy", "cart"]}})
    )
    merged = found.merge(
        raw,
        left_on=["session_id", found["timestamp"].astype("int64") // 10**6],
        right_on=["session_id", "time"],
    )
    assert len(merged) == len(raw)
    assert merged["event_type"].fillna("").tolist() == merged["event"].fillna("").tolist()
    np.testing.assert_array_equal(merged["paid_x"], merged["paid_y"])
    assert merged["target"].tolist() == merged["event"].isin(["buy", "cart"]).tolist()
    assert merged["hour"].tolist() == pd.to_datetime(merged["time"], unit="s").dt.hour.tolist()
    first = found["position"] == 0
    assert found["gap"][first].isna().all() and (found["gap"][~first] > 0).all()


def test_derived_columns_are_those_of_the_events_that_are_known(tmp_path):
    columns = EventColumns(events_config(tmp_path))
    times = pd.to_datetime(pd.Series([0, 60, 200, 7, 9, 10]), unit="s").astype("datetime64[us]")
    events = pd.DataFrame({"timestamp": times, "position": [0, 1, 2, 0, 1, 2]})
    found = columns.derive(events, np.array([True, False, True, False, True, True]))
    np.testing.assert_allclose(
        np.expm1(found["gap"].to_numpy()), [np.nan, np.nan, 200, np.nan, np.nan, 1], rtol=1e-12
    )
    assert found["hour"].isna().tolist() == [False, True, False, True, False, False]
    both = columns.derive(events), columns.derive(events, np.ones(6, bool))
    assert all(both[0][name].equals(both[1][name]) for name in ("gap", "hour"))


def test_without_event_attributes_interactions_have_no_more_columns(tmp_path):
    found = prepared(events_config(tmp_path, event_attributes=[]))
    assert list(found) == ["session_id", "item_id", "position", "timestamp"]


def test_parts_may_hold_values_of_other_types(tmp_path):
    """An attribute that no event of the first part has, and one of numbers and texts."""
    raw = make_events(20)
    raw["event"] = [None if row < 50 else (1, "x")[row % 2] for row in range(len(raw))]
    found = prepared(events_config(tmp_path, raw, data={"chunk_sessions": 3}))
    assert set(found["event_type"].dropna()) == {"1", "x"}


def test_a_missing_column_is_named_with_what_asks_for_it(tmp_path):
    attributes = [*EVENT_ATTRIBUTES, {"name": "device", "kind": "categorical"}]
    targets = {"column": "evnt", "values": ["buy"]}
    found = problems(events_config(tmp_path, event_attributes=attributes, data={"targets": targets}))
    assert "no column 'device', which event attribute 'device' reads; there are session_id, item_id" in found
    assert "no column 'evnt', which data.targets.column names" in found and "did you mean 'event'?" in found


def test_values_that_do_not_suit_their_kind_are_named(tmp_path):
    raw = make_events().astype({"paid": object})
    raw.loc[3, "paid"] = "much"
    found = problems(events_config(tmp_path, raw))
    assert "column 'paid': is not a finite number (event attribute 'paid') in 1 row: row 4 ('much')" in found


def test_derived_columns_need_times(tmp_path):
    data = {"columns": {}, "options": {}}
    found = problems(events_config(tmp_path, data=data))
    assert "event attributes hour, gap are made of the times of events; there are none" in found


def test_targets_that_never_occur_are_named(tmp_path):
    found = problems(events_config(tmp_path, data={"targets": {"column": "event", "values": ["buy", "by"]}}))
    assert "column 'event' never holds by, which data.targets.values names; most frequent are" in found
    assert "buy" in found.split("most frequent are")[1]


def test_a_column_of_targets_without_a_value_is_told(tmp_path):
    targets = {"column": "event", "values": ["buy"]}
    raw = make_events(20).assign(event=None)
    found = problems(events_config(tmp_path, raw, event_attributes=[], data={"targets": targets}))
    assert (
        "column 'event' never holds buy, which data.targets.values names: it holds no value at all" in found
    )


def test_a_column_of_targets_holds_no_lists(tmp_path):
    raw, targets = make_events(20), {"column": "event", "values": ["buy"]}
    config = events_config(tmp_path, event_attributes=[], data={"targets": targets})
    raw.assign(event=[["buy"]] * len(raw)).to_parquet(tmp_path / "events.parquet")
    data = config.data.model_copy(update={"interactions": tmp_path / "events.parquet"})
    found = problems(config.model_copy(update={"data": data}))
    assert "column 'event': holds lists; expected numbers, text or times" in found


def test_the_schema_of_interactions_describes_them(tmp_path):
    config = events_config(tmp_path, data={"targets": {"column": "event", "values": ["buy"]}})
    described = schemas(config)["interactions"]["properties"]
    assert described["paid"]["type"] == ["number", "string", "null"]
    assert "event attribute 'paid' of kind numeric" in described["paid"]["description"]
    assert described["event"]["allOf"][1]["description"] == "tells which events may be targets"


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ({"name": "position", "kind": "numeric"}, "attribute name 'position' is reserved"),
        ({"name": "gap", "kind": "numeric", "column": "@gap"}, "no derived column '@gap'; accepted: @hour"),
        ({"name": "id", "kind": "categorical", "column": "item_id"}, "item ids are never features"),
    ],
)
def test_impossible_event_attributes_are_refused(tmp_path, attribute, expected):
    with pytest.raises(ValueError, match=expected):
        events_config(tmp_path, event_attributes=[attribute])


def test_attributes_that_are_called_otherwise_ask_for_the_data_again(tmp_path):
    config = events_config(tmp_path, event_attributes=EVENT_ATTRIBUTES[:1])
    assert "event_type" in prepared(config)
    renamed = [{**EVENT_ATTRIBUTES[0], "name": "type"}]
    config = events_config(tmp_path, event_attributes=renamed)
    assert Run(config).step("data").changes().keys() == {"event_attributes"}
    assert "type" in prepared(config)


@pytest.mark.parametrize(("split", "is_last"), [("hash", False), ("leave_one_out", True)])
def test_a_split_in_which_no_event_is_a_target_is_told_before_anything_is_written(tmp_path, split, is_last):
    raw = make_events()
    first = ~raw["session_id"].duplicated()
    # What begins a session is never predicted.
    raw["event"] = np.where(first, "buy", "view")
    data = {"targets": {"column": "event", "values": ["buy"]}, "split": {"kind": split}}
    more = {"evaluation": {"prefixes": "last"}} if is_last else {}
    config = events_config(tmp_path, raw, event_attributes=[], data=data, **more)
    found = problems(config)
    assert not config.directory.exists() or not list(config.directory.iterdir())
    for name in ("train", "valid", "test"):
        where = "ends a session" if is_last and name != "train" else "follows another one of its session"
        assert re.search(
            rf"none of the [\d,]+ events for '{name}' is a target .* that {where}: .*data", found
        )


def test_attributes_that_no_event_has_are_told(tmp_path):
    raw = make_events().assign(event=None, paid="")
    config = events_config(tmp_path, raw, data={"chunk_sessions": 3})
    notices = validate(config.open_source(), config).notices
    assert [n for n in notices if n.startswith("event attribute")] == [
        "event attribute 'event_type' has no value for any event",
        "event attribute 'paid' has no value for any event",
    ]


def told(config) -> list[str]:
    return validate(config.open_source(), config).notices


def test_values_of_events_are_doubted_as_those_of_items_are(tmp_path):
    raw = make_events()
    raw["event"] = raw["event"].replace({"cart": "View", "buy": "NULL"})
    raw["paid"] = [f"{1 + n % 9}.{n % 900 + 100}" for n in range(len(raw))]
    found = [line for line in told(events_config(tmp_path, raw)) if line.startswith("event attribute")]
    n_null = int((raw["event"] == "NULL").sum())
    assert (
        f"event attribute 'event_type': {n_null} events have 'NULL', which is taken for a value" in found[0]
    )
    assert "'View'" in found[1] and "by small and capital letters alone" in found[1]
    assert "event attribute 'paid'" in found[2] and "if points part thousands" in found[2]
    assert len(found) == 3


def test_of_many_events_some_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("m2trec_merlin.data.event_columns._SAMPLED", 100)
    raw = make_events().assign(event="NULL")
    [line] = [line for line in told(events_config(tmp_path, raw)) if "NULL" in line]
    assert "in 100 events: 100 events have 'NULL'" in line


def test_a_value_that_differs_from_a_target_by_capitals_is_told(tmp_path):
    raw = make_events()
    raw.loc[raw.index % 2 == 0, "event"] = raw["event"].replace("buy", "Buy")
    targets = {"column": "event", "values": ["buy"]}
    config = events_config(tmp_path, raw, event_attributes=[], data={"targets": targets})
    count = int((raw["event"] == "Buy").sum())
    [line] = [line for line in told(config) if "targets" in line]
    assert line.startswith(
        f"column 'event': {count} events have 'Buy', which is not 'buy' of data.targets.values"
    )
    both = {"column": "event", "values": ["buy", "Buy"]}
    config = events_config(tmp_path, raw, event_attributes=[], data={"targets": both})
    assert not any("targets" in line for line in told(config))


@pytest.mark.parametrize(
    ("values", "events", "told"),
    [
        (["1.1"], ["1.1", "1.10", "2"], ["'1.1' and '1.10'"]),
        (["1.10"], ["1.1", "2", "3"], ["'1.1' and '1.10'"]),
        (["2"], ["1.1", "1.10", "2"], []),
        (["1.1"], ["1.10", "2.00", "3.50"], []),
        (["1"], ["1", "1.0", "2"], []),
    ],
)
def test_codes_that_are_targets_as_one_number_are_told(tmp_path, values, events, told):
    raw = make_events()
    raw["event"] = [events[n % 3] for n in range(len(raw))]
    targets = {"column": "event", "values": values}
    config = events_config(tmp_path, raw, event_attributes=[], data={"targets": targets})
    said = [line for line in validate(config.open_source(), config).notices if "one number" in line]
    assert [line.partition(" count as")[0] for line in said] == [
        f"column 'event', which data.targets reads: {pair}" for pair in told
    ]
