"""Sessions cut from users and times, beside a plain reading of the same table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from m2trec_merlin.config import Config
from m2trec_merlin.data import prepare_data
from m2trec_merlin.data.validation import validate
from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.user_sessions import UserSessions
from tests.worlds.tables import MakeConfig

CUT = {"user": "who", "gap": "30 min"}


def clicks(rows: list[tuple[Any, Any, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["who", "item_id", "when"])


def shop(make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, **data: Any) -> Config:
    usual = {"sessions": CUT, "columns": {"order": "when"}, "split": {"kind": "hash"}}
    return make_config(events, items, **{**usual, **data})


def cut(make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, **data: Any) -> pd.DataFrame:
    return pd.concat(list(shop(make_config, events, items, **data).data.open(0).interactions()))


def test_a_longer_pause_begins_a_session(make_config: MakeConfig, items: pd.DataFrame) -> None:
    events = clicks(
        [
            ("b", 10, "2024-01-01 10:00:00"),
            ("a", 10, "2024-01-01 12:30:00"),
            ("a", 20, "2024-01-01 12:00:00"),  # earlier than the row above
            ("b", 20, "2024-01-01 10:30:00.000001"),  # a microsecond too late
            ("a", 30, "2024-01-01 13:00:00"),  # 30 minutes are not more than 30 minutes
            ("a", 40, "2024-01-02 13:00:00"),
        ]
    )
    found = cut(make_config, events, items)
    assert found["session_id"].tolist() == [
        "b@2024-01-01T10:00:00",
        "b@2024-01-01T10:30:00.000001",
        *["a@2024-01-01T12:00:00"] * 3,
        "a@2024-01-02T13:00:00",
    ]
    assert found["item_id"].tolist() == ["10", "20", "20", "10", "30", "40"]
    assert found.index.tolist() == [0, 3, 2, 1, 4, 5]


BY_COLUMN = {"sessions": None, "columns": {"session_id": "who", "order": "when"}}


@pytest.mark.parametrize("grouped", [{}, BY_COLUMN], ids=["users", "sessions"])
@pytest.mark.parametrize(("guests", "are_told"), [(40, True), (3, False)])
@pytest.mark.parametrize("chunk_sessions", [1, 1000])
def test_guests_who_share_an_id_are_told(
    make_config: MakeConfig,
    items: pd.DataFrame,
    guests: int,
    are_told: bool,
    chunk_sessions: int,
    grouped: dict[str, Any],
) -> None:
    known = [(f"u{user}", 10 * (1 + step), "2024-01-01") for user in range(40) for step in range(3)]
    events = clicks([*known, *[("0", 10, "2024-01-01")] * guests])
    source = shop(make_config, events, items, chunk_sessions=chunk_sessions, **grouped).data.open(0)
    for _ in range(2):  # the second time says the same
        assert sum(map(len, source.interactions())) == len(events)
        assert len(source.notices) == are_told
        assert all(
            "25 % of the events have '0' in column 'who': if guests" in said for said in source.notices
        )


def plain(events: pd.DataFrame, gap: str) -> dict[tuple[str, pd.Timestamp], list[int]]:
    """Items of each session, by user and start, as one would cut them by hand."""
    sessions: dict[tuple[str, pd.Timestamp], list[int]] = {}
    for who, own in events.assign(time=pd.to_datetime(events["when"], unit="s")).groupby("who"):
        own, start, last = own.sort_values("time", kind="stable"), None, None
        for item, time in zip(own["item_id"], own["time"], strict=True):
            start = time if last is None or time - last > pd.Timedelta(gap) else start
            last = time
            sessions.setdefault((str(who), start), []).append(item)
    return sessions


@pytest.mark.parametrize(("gap", "chunk"), [("30 min", 1), ("30 min", 3), ("1 h", 10**6), ("90 s", 2)])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_any_chunks_and_any_order_give_what_a_plain_reading_gives(
    make_config: MakeConfig, items: pd.DataFrame, gap: str, chunk: int, suffix: str
) -> None:
    random = np.random.default_rng(1)
    users, ids = random.integers(12, size=400), random.choice([10, 20, 30, 40], size=400)
    # No two at once: what is equal in time would stand in the order of the file.
    times = 1_700_000_000 + 60 * random.permutation(2000)[:400]
    events = clicks(list(zip(users, ids, times, strict=True)))
    right = plain(events, gap)
    data = {"sessions": {"user": "who", "gap": gap}, "options": {"time_format": "s"}}
    for table in (events, events.sample(frac=1, random_state=2)):
        found = cut(make_config, table, items, suffix=suffix, chunk_sessions=chunk, **data)
        lists = found["item_id"].astype(int).groupby(found["session_id"]).agg(list)
        assert lists.to_dict() == {f"{who}@{time.isoformat()}": own for (who, time), own in right.items()}


def test_chunks_hold_whole_sessions_and_no_more_than_asked(
    make_config: MakeConfig, items: pd.DataFrame
) -> None:
    events = clicks([("a", 10, f"2024-01-0{day} 10:0{minute}") for day in range(1, 8) for minute in (0, 1)])
    config = shop(make_config, events, items, chunk_sessions=2)
    chunks = list(config.data.open(0).interactions())
    assert [chunk["session_id"].nunique() for chunk in chunks] == [2, 2, 2, 1]
    assert sum(map(len, chunks)) == 14


def test_an_event_of_an_unknown_item_bridges_a_pause(make_config: MakeConfig, items: pd.DataFrame) -> None:
    events = clicks([("a", 10, "2024-01-01 10:00"), ("a", 99, "2024-01-01 10:25")])
    events = pd.concat([events, clicks([("a", 20, "2024-01-01 10:50")])])
    found = cut(make_config, events, items, options={"drop_unknown_items": True})
    assert found["session_id"].tolist() == ["a@2024-01-01T10:00:00"] * 2


def test_users_who_look_alike_do_not_share_sessions(make_config: MakeConfig, items: pd.DataFrame) -> None:
    names = ["a", "a@2024-01-01T10:00:00", "a@2024-01-01T10:00:00@2024-01-01T10:00:00", "a ", "A"]
    found = cut(make_config, clicks([(name, 10, "2024-01-01T10:00:00") for name in names]), items)
    assert found["session_id"].nunique() == len(names)


def test_missing_users_and_unreadable_times_are_reported_with_their_rows(
    make_config: MakeConfig, items: pd.DataFrame
) -> None:
    events = clicks(
        [
            ("a", 10, "2024-01-01 10:00"),
            ("a", 20, "soon"),
            (None, 10, "2024-01-01 10:00"),
            ("a", 20, None),
            ("b", 20, "later"),
            ("a", 20, "2024-01-01 10:01"),
            ("a", 20, "2024-01-01 10:02"),
            ("a", 20, "2024-01-01 10:03"),
        ]
    )
    config = shop(make_config, events, items, split={"kind": "time"})
    with pytest.raises(DataError) as caught:
        validate(config.data.open(0), config)
    users, missing, times = sorted(
        caught.value.problems, key=lambda p: ("'who'" not in p, "missing" not in p)
    )
    assert "column 'who': is missing in 1 row: row 3" in users
    assert "column 'when': is missing in 1 row: row 4" in missing
    assert "column 'when': is not a timestamp" in times
    for row in ("row 2 ('soon')", "row 5 ('later')"):
        assert row in times


@pytest.mark.parametrize("chunk_sessions", [1, 1000])
def test_users_whose_ids_were_rounded_are_refused(
    make_config: MakeConfig, items: pd.DataFrame, chunk_sessions: int
) -> None:
    events = clicks([(user, 10, "2024-01-01 10:00:00") for user in (2**24 - 1, 2**24, 2**24 + 1)])
    rounded, exact = (events.astype({"who": kind}) for kind in ("float32", "float64"))
    with pytest.raises(DataError) as caught:
        cut(make_config, rounded, items, suffix="parquet", chunk_sessions=chunk_sessions)
    found = "column 'who': may have lost digits in 2 rows: row 2 (16777216.0), row 3 (16777216.0); "
    assert found in str(caught.value)
    assert cut(make_config, exact, items, suffix="parquet")["session_id"].nunique() == 3


@pytest.mark.parametrize("values", [[1, 2], ["1", "2"], [1700000000, 1700000001]])
def test_numbers_are_no_times_unless_somebody_says_so(
    make_config: MakeConfig, items: pd.DataFrame, values: list[Any]
) -> None:
    events = clicks([("a", 10, values[0]), ("a", 20, values[1])])
    with pytest.raises(DataError, match=r"column 'when': holds numbers.*time_format"):
        cut(make_config, events, items)


def test_missing_columns_are_reported_by_their_names(make_config: MakeConfig, items: pd.DataFrame) -> None:
    changed = {"sessions": {"user": "whom"}, "columns": {"order": "wenn"}, "split": {"kind": "time"}}
    config = shop(make_config, clicks([("a", 10, "2024-01-01")]), items, **changed)
    with pytest.raises(DataError) as caught:
        validate(config.data.open(0), config)
    text = str(caught.value)
    assert "no column 'whom'" in text and "did you mean 'who'?" in text
    assert "no column 'wenn'" in text and "did you mean 'when'?" in text


@pytest.mark.parametrize(
    "gap", ["30", 30, 30.0, "half an hour", "0 s", "-1 h", "30 minutes ago", " ", None, "1 h 30 min", "nan s"]
)
def test_what_is_no_duration_is_refused_with_what_is_accepted(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, gap: object
) -> None:
    with pytest.raises(ValidationError, match=r"sessions.gap\n.*'30 min', '1 h' or '900 s'"):
        shop(make_config, events, items, sessions={"user": "who", "gap": gap})


@pytest.mark.parametrize(
    ("gap", "seconds"),
    [("30 min", 1800), ("1 h", 3600), ("900 s", 900), ("1 day", 86400), ("1.5days", 129600)],
)
def test_durations(gap: str, seconds: int) -> None:
    assert UserSessions(user="who", gap=gap).longest_pause == np.timedelta64(seconds, "s")


def test_contradictions_are_listed_together(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    with pytest.raises(ValidationError) as caught:
        make_config(events, items, sessions=CUT, columns={"session_id": "session_id"})
    message = str(caught.value)
    assert "columns.session_id and sessions contradict each other" in message
    assert "sessions needs columns.order" in message
    assert "'modulus'" in message


def test_the_step_writes_what_was_cut(make_config: MakeConfig, items: pd.DataFrame) -> None:
    rows = [
        (f"u{u}", item, f"2024-01-{d:02} 10:{item}") for u in range(30) for d in (1, 2) for item in (10, 20)
    ]
    folder = prepare_data(shop(make_config, clicks(rows), items))
    written = pd.concat([pd.read_parquet(p) for p in folder.glob("interactions/*/*.parquet")])
    assert written.groupby("session_id").size().tolist() == [2] * 60
    assert written["timestamp"].dt.minute.tolist() == (10 * (written["position"] + 1)).tolist()
