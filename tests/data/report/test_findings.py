from __future__ import annotations

import re

import pandas as pd
import pytest

from m2trec_merlin.data.report.findings import find
from m2trec_merlin.readers.settings import LeaveOneOut
from tests.data.report.test_statistics import statistics
from tests.worlds.tables import MakeConfig


def shop(n_train: int = 80) -> tuple[pd.DataFrame, pd.DataFrame]:
    """40 items, half of which share their metadata; sessions of 2 and 5 events, 20 of the latter."""
    ids = range(1, 41)
    items = pd.DataFrame(
        {
            "item_id": ids,
            "title": [f"title {i}" if i <= 20 else "same" for i in ids],
            "category": "all",
            "price": [1.0 if i <= 10 else None for i in ids],
        }
    )
    sessions = {3 * i + 2: [1, 2, 3, 1, 1] if i < 20 else [4, 5] for i in range(n_train)}
    sessions |= {3 * i + 1: [4, 5] for i in range(10)} | {3 * i: [4, 30, 4, 5] for i in range(1, 11)}
    sessions |= {1001: [7]}
    rows = [(session, item) for session, items_ in sessions.items() for item in items_]
    return pd.DataFrame(rows, columns=["session_id", "item_id"]), items


def test_what_is_found_has_its_number(make_config: MakeConfig) -> None:
    events, items = shop()
    found = "\n".join(find(statistics(make_config(events, items, max_session_length=3))))
    # 20 of 80 sessions lose 2 of their 5 events, of 220 events.
    assert "18 % of training events lie beyond data.max_session_length: 3 and are cut; 25 % of" in found
    assert "33 % of test targets were never seen in training" in found  # 30, of 30 4 5
    assert "50 % of items share all their metadata with another, up to 20 at a time" in found
    assert "Attribute price is missing for 75 % of items, which have 0 % of training events" in found
    assert "Attribute category has 1 value for all 40 items that have any" in found
    assert "88 % of the 40 items have no training event" in found


def test_shares_are_of_sessions_and_not_of_the_splits_that_share_them(
    make_config: MakeConfig, items: pd.DataFrame
) -> None:
    sessions = {n: [10, 20, 30, 40] if n < 6 else [10] for n in range(8)}
    rows = [(session, item) for session, ids in sessions.items() for item in ids]
    events = pd.DataFrame(rows, columns=["session_id", "item_id"])
    config = make_config(events, items)
    data = config.data.model_copy(update={"split": LeaveOneOut(kind="leave_one_out")})
    found = "\n".join(find(statistics(config.model_copy(update={"data": data}))))
    assert "25 % of all sessions (2) have fewer than 2 events" in found


def test_repeats_and_no_equal_items(make_config: MakeConfig, items: pd.DataFrame) -> None:
    sessions = {2: [10, 10, 20, 10], 5: [10, 20], 1: [20, 30], 3: [20, 40]}
    rows = [(session, item) for session, ids in sessions.items() for item in ids]
    config = make_config(pd.DataFrame(rows, columns=["session_id", "item_id"]), items)
    found = "\n".join(find(statistics(config)))
    assert "33 % of training events repeat an item of their session, 17 % the item just before" in found
    assert not re.search(r"[1-9]\d* %? ?(of )?items share all their metadata", found)
    assert "50 % of the 4 items have no training event" in found
    assert "Attribute price is missing for 25 % of items" in found


@pytest.mark.parametrize("n_train", [20, 80])
def test_there_are_five_to_eight_sentences_and_each_has_a_number(
    make_config: MakeConfig, n_train: int, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    for tables in (shop(n_train), (events, items)):
        found = find(statistics(make_config(*tables)))
        assert 5 <= len(found) <= 8 and len(set(found)) == len(found)
        for sentence in found:
            assert re.search(r"\d", sentence) and sentence.endswith(".") and len(sentence) < 200


def test_a_test_within_the_time_of_training_is_told(make_config: MakeConfig, items: pd.DataFrame) -> None:
    rows = [
        (session, item, pd.Timestamp("2024-01-01") + pd.Timedelta(days=session, minutes=n))
        for session in range(30)
        for n, item in enumerate((10, 20))
    ]
    events = pd.DataFrame(rows, columns=["session_id", "item_id", "position"])
    by_id, by_time = (
        "\n".join(find(statistics(make_config(events, items, "parquet", **split))))
        for split in ({}, {"split": {"kind": "time"}})
    )
    assert "100 % of test sessions lie within the time of training (data.split.kind: modulus)" in by_id
    assert "within the time of training" not in by_time and "go on during" not in by_time


def test_sessions_that_go_on_while_later_ones_begin_are_told(
    make_config: MakeConfig, items: pd.DataFrame
) -> None:
    # A session an hour, the second event of which comes 6 hours later: 80 of training, 10 and 10.
    rows = [
        (session, item, pd.Timestamp("2024-01-01") + pd.Timedelta(hours=session + 6 * n))
        for session in range(100)
        for n, item in enumerate((10, 20))
    ]
    events = pd.DataFrame(rows, columns=["session_id", "item_id", "position"])
    found = "\n".join(find(statistics(make_config(events, items, "parquet", split={"kind": "time"}))))
    # Training ends with hour 79 + 6; validation has the hours 80 to 95, the test 90 to 105.
    assert (
        "Sessions of train go on during 33 % of the time of valid, until 2024-01-04 13:00:00 (UTC)" in found
    )
    assert "Sessions of valid go on during 33 % of the time of test" in found


def test_the_name_of_a_file_stays_as_it_is(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    found = find(statistics(make_config(events, items.assign(title=["?", *items["title"][1:]]))))
    assert any(text.startswith("items.csv, column 'title': 1 item has '?'") for text in found)


def test_events_of_unknown_items_that_are_left_out_are_told(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    unknown = events[:1].assign(item_id=77)
    config = make_config(pd.concat([events, unknown]), items, options={"drop_unknown_items": True})
    assert any(
        text.startswith("1 event left out: their items are not in") for text in find(statistics(config))
    )
