from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2trec_merlin.data.splits import (
    LEFT_OUT,
    TEST,
    TRAIN,
    VALID,
    SplitInteractions,
    draw_cold_items,
    leave_one_out,
    leave_out_cold,
    split_by_hash,
    time_cuts,
)
from m2trec_merlin.readers.canonical import KnownItems
from m2trec_merlin.readers.settings import (
    LeaveOneOut,
    SplitByColumn,
    SplitByHash,
    SplitByModulus,
    SplitByTime,
    SplitConfig,
)

N_ITEMS = 12
KNOWN = KnownItems(pd.Series(range(N_ITEMS), dtype="Int64"))
SPLITS: list[SplitConfig] = [
    SplitByHash(kind="hash", test_share=0.3, valid_share=0.3),
    SplitByModulus(kind="modulus", modulus=3, test=[0], valid=[1]),
    SplitByTime(kind="time", test_share=0.2, valid_share=0.2),
    SplitByColumn(kind="column", valid_share_of_train=0.25),
]


def _sessions(items: list[list[int]]) -> pd.DataFrame:
    session = np.repeat(np.arange(len(items)), [len(s) for s in items])
    frame = pd.DataFrame({"session_id": session, "item_id": np.concatenate(items).astype(np.int64)})
    frame["position"] = frame.groupby("session_id").cumcount()
    frame["timestamp"] = np.datetime64("2024-01-01", "us") + session.astype("timedelta64[h]")
    frame["split"] = np.where(session % 4 == 0, "test", "train")
    return frame


def _reader(events: pd.DataFrame, size: int) -> Callable[[], Iterator[pd.DataFrame]]:
    def read() -> Iterator[pd.DataFrame]:
        for start in range(0, int(events["session_id"].max()) + 1, size):
            yield events[events["session_id"].between(start, start + size - 1)].reset_index(drop=True)

    return read


def _split_per_session(splits: SplitInteractions | Iterator) -> pd.Series:
    events = pd.concat(chunk.assign(code=split) for chunk, split in splits)
    per_session = events.groupby("session_id")["code"].agg(["min", "max"])
    assert (per_session["min"] == per_session["max"]).all(), "a session is in two splits"
    return per_session["min"]


_items_of_sessions = st.lists(
    st.lists(st.integers(0, N_ITEMS - 1), min_size=2, max_size=5), min_size=5, max_size=40
)


@pytest.mark.parametrize("config", SPLITS, ids=lambda c: c.kind)
@given(items=_items_of_sessions, sizes=st.tuples(st.integers(1, 10), st.integers(1, 50)))
@settings(max_examples=15)
def test_every_session_is_in_one_split_whatever_the_chunks(
    config: SplitConfig, items: list[list[int]], sizes: tuple[int, int]
) -> None:
    events = _sessions(items)
    first, second = (SplitInteractions(_reader(events, size), config, 2) for size in sizes)
    splits = _split_per_session(first)
    assert len(splits) == len(items) and splits.isin([TRAIN, VALID, TEST]).all()
    pd.testing.assert_series_equal(splits, _split_per_session(second))
    pd.testing.assert_series_equal(splits, _split_per_session(first))  # a second pass is the same


@pytest.mark.parametrize("config", SPLITS, ids=lambda c: c.kind)
@given(items=_items_of_sessions, share=st.floats(0.05, 0.6), seed=st.integers(0, 99))
@settings(max_examples=15)
def test_cold_items_are_never_in_training(
    config: SplitConfig, items: list[list[int]], share: float, seed: int
) -> None:
    events = _sessions(items)
    before = SplitInteractions(_reader(events, 7), config, 2)
    cold = draw_cold_items(before, KNOWN, share, seed)
    seen = {
        item
        for session, code in _split_per_session(before).items()
        if code == TRAIN
        for item in items[session]
    }
    assert set(np.flatnonzero(cold)) <= seen
    assert cold.sum() == min(max(round(len(seen) * share), 1), len(seen))

    after = _split_per_session(leave_out_cold(before, KNOWN, cold))
    for session, code in _split_per_session(before).items():
        leaves = code != TEST and cold[items[session]].any()
        assert after[session] == (LEFT_OUT if leaves else code)


def test_cold_items_do_not_depend_on_chunks_but_on_the_seed() -> None:
    events = _sessions([[n % N_ITEMS, (n + 5) % N_ITEMS] for n in range(30)])
    draws = [
        draw_cold_items(SplitInteractions(_reader(events, size), SPLITS[0], 2), KNOWN, 0.3, seed).tolist()
        for size, seed in ((3, 1), (30, 1), (30, 2))
    ]
    assert draws[0] == draws[1] != draws[2]


def test_hash_split_is_the_same_everywhere_and_for_any_type_of_id() -> None:
    config = SplitByHash(kind="hash", test_share=0.1, valid_share=0.2)
    ids = pd.Series(range(10_000))
    splits = split_by_hash(ids, config)
    # Known values: a machine or version that hashes otherwise would silently mix the splits of two runs.
    assert split_by_hash(
        pd.Series(list("abcdefgh")), SplitByHash(kind="hash", test_share=0.3, valid_share=0.3)
    ).tolist() == [0, 0, 0, 2, 1, 2, 0, 2]
    assert np.array_equal(splits, split_by_hash(ids.astype(str), config))
    assert np.array_equal(splits[::-1], split_by_hash(ids[::-1], config))
    shares = np.bincount(splits, minlength=3) / len(ids)
    assert np.allclose(shares, [0.7, 0.2, 0.1], atol=0.02)


def test_modulus_by_hand() -> None:
    config = SplitByModulus(kind="modulus", modulus=3, test=[0], valid=[2])
    events = _sessions([[1, 2]] * 6)
    assert _split_per_session(SplitInteractions(_reader(events, 2), config, 2)).tolist() == [
        TEST, TRAIN, VALID, TEST, TRAIN, VALID,
    ]  # fmt: skip


def test_time_cuts_by_hand(recwarn: pytest.WarningsRecorder) -> None:
    starts = np.array([5, 1, 4, 2, 3, 6, 8, 7, 9, 10]).astype("datetime64[s]")
    gc.collect()  # of what other tests have left
    recwarn.clear()
    cuts = time_cuts([starts[:4], starts[4:]], SplitByTime(kind="time", test_share=0.2, valid_share=0.3))
    assert cuts == (np.datetime64(6, "s"), np.datetime64(9, "s"))
    gc.collect()
    assert not recwarn.list, "the file of the times is closed"


def test_sessions_of_one_instant_are_not_divided() -> None:
    starts = np.repeat(np.array([1, 2, 3]).astype("datetime64[s]"), [5, 3, 4])
    cuts = time_cuts([starts[:4], starts[4:]], SplitByTime(kind="time", test_share=0.1, valid_share=0.3))
    assert cuts == (np.datetime64(2, "s"), np.datetime64(3, "s"))


def test_no_training_session_starts_after_a_test_session() -> None:
    latest_first = _sessions([[1, 2]] * 10).sort_values(["session_id", "position"], ascending=[False, True])
    splits = _split_per_session(SplitInteractions(_reader(latest_first, 10), SPLITS[2], 2))
    assert splits.tolist() == [TRAIN] * 6 + [VALID] * 2 + [TEST] * 2


def test_validation_is_the_last_share_of_training_unless_it_is_named() -> None:
    events = _sessions([[1, 2]] * 12)  # sessions 0, 4 and 8 are named test
    config = SplitByColumn(kind="column", valid_share_of_train=0.25)
    splits = _split_per_session(SplitInteractions(_reader(events, 5), config, 2))
    assert splits[splits == TEST].index.tolist() == [0, 4, 8]
    assert splits[splits == VALID].index.tolist() == [10, 11]  # round(9 * 0.25) = 2

    events.loc[events["session_id"] == 1, "split"] = "valid"
    splits = _split_per_session(SplitInteractions(_reader(events, 5), config, 2))
    assert splits[splits == VALID].index.tolist() == [1]


def _items_by_split(chunks: Iterator[tuple[pd.DataFrame, np.ndarray]]) -> dict[int, dict[int, list[int]]]:
    found: dict[int, dict[int, list[int]]] = {TRAIN: {}, VALID: {}, TEST: {}}
    for events, split in chunks:
        assert len(set(split.tolist())) == 1
        for session, own in events.groupby("session_id"):
            assert own["position"].tolist() == list(range(len(own)))
            assert session not in found[split[0]], "a session is there twice"
            found[split[0]][session] = own["item_id"].tolist()
    return found


def test_the_last_event_is_for_the_test_and_stands_behind_all_before_it() -> None:
    events = _sessions([[1, 2, 3, 4, 5], [6, 7, 8], [9, 9, 1, 2]])
    found = _items_by_split(SplitInteractions(_reader(events, 2), LeaveOneOut(kind="leave_one_out"), 2))
    assert found[TRAIN] == {0: [1, 2, 3], 1: [6, 7, 8], 2: [9, 9]}, "session 1 would leave a single event"
    assert found[VALID] == {0: [1, 2, 3, 4], 2: [9, 9, 1]}
    assert found[TEST] == {0: [1, 2, 3, 4, 5], 2: [9, 9, 1, 2]}


def test_what_leaves_training_too_short_a_session_is_not_held_out() -> None:
    found = _items_by_split(leave_one_out(_sessions([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]]), shortest=4))
    assert found == {
        TRAIN: {0: [1, 2, 3, 4, 5], 1: [1, 2, 3, 4]},
        VALID: {1: [1, 2, 3, 4, 5]},
        TEST: {1: [1, 2, 3, 4, 5, 6]},
    }


def test_a_cold_item_takes_the_part_of_a_session_that_holds_it_out_of_training() -> None:
    events = _sessions([[1, 2, 3, 4], [1, 2, 4, 3]])
    cold = np.arange(N_ITEMS) == 3
    parts = leave_out_cold(leave_one_out(events, shortest=2), KNOWN, cold)
    kept = _items_by_split((part[split != LEFT_OUT], split[split != LEFT_OUT]) for part, split in parts)
    assert kept[TRAIN] == {0: [1, 2], 1: [1, 2]}
    assert kept[VALID] == {1: [1, 2, 4]}
    assert kept[TEST] == {0: [1, 2, 3, 4], 1: [1, 2, 4, 3]}
