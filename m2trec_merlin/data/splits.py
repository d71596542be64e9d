"""Divide sessions into train, valid and test before anything is learnt from them.

A session is in one split with all its events, unless its last events are held out (`leave_one_out`). If cold
items are asked for, every training and validation session that holds one is then left out, so that the test
measures items that no step has seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from m2trec_merlin.column_names import ITEM_ID, POSITION, SESSION_ID, SPLIT, TIMESTAMP
from m2trec_merlin.data.order_statistics import NumbersOnDisk
from m2trec_merlin.ids import id_hashes
from m2trec_merlin.readers.canonical import KnownItems
from m2trec_merlin.readers.positions import parse_whole_numbers
from m2trec_merlin.readers.settings import (
    LeaveOneOut,
    Split,
    SplitByColumn,
    SplitByHash,
    SplitByModulus,
    SplitByTime,
    SplitConfig,
)

#: Indices into SPLITS, and the mark of sessions that are in no split.
TRAIN, VALID, TEST, LEFT_OUT = 0, 1, 2, -1

#: Number of events of a session that `leave_one_out` withholds from training.
_HELD_OUT = 2

#: A chunk of canonical events, and the split of each event, int8 [E].
SplitChunk = tuple[pd.DataFrame, np.ndarray]
#: A function that reads all canonical interactions, in chunks of whole sessions.
ReadChunks = Callable[[], Iterable[pd.DataFrame]]
#: A function that divides all chunks, one after the other.
Divide = Callable[[Iterable[pd.DataFrame]], Iterator[SplitChunk]]
#: A function from the first events of sessions to the splits of these, int8 [S].
Assign = Callable[[pd.DataFrame], np.ndarray]


class SplitInteractions:
    """An iterable of interactions with the split of each event; it can be iterated repeatedly.

    Args:
        read_chunks: function that reads the interactions.
        config: the settings of the split.
        shortest: the fewest events of a session.
    """

    def __init__(self, read_chunks: ReadChunks, config: SplitConfig, shortest: int) -> None:
        self._read_chunks = read_chunks
        self._divide = SPLITTERS[type(config)](config, read_chunks, shortest)

    def __iter__(self) -> Iterator[SplitChunk]:
        return self._divide(self._read_chunks())


def _of_whole_sessions(assign: Assign) -> Divide:
    def divide(chunks: Iterable[pd.DataFrame]) -> Iterator[SplitChunk]:
        for chunk in chunks:
            yield chunk, assign(_first_events(chunk))[_session_numbers(chunk)]

    return divide


def _by_hash(config: SplitByHash, read_chunks: ReadChunks, shortest: int) -> Divide:
    return _of_whole_sessions(lambda sessions: split_by_hash(sessions[SESSION_ID], config))


def _by_modulus(config: SplitByModulus, read_chunks: ReadChunks, shortest: int) -> Divide:
    return _of_whole_sessions(lambda sessions: split_by_modulus(sessions[SESSION_ID], config))


def _by_time(config: SplitByTime, read_chunks: ReadChunks, shortest: int) -> Divide:
    """Read all interactions once before splitting, keeping 8 bytes per session in a temporary file."""
    valid_from, test_from = time_cuts(
        (_first_events(chunk)[TIMESTAMP].to_numpy() for chunk in read_chunks()), config
    )

    def assign(sessions: pd.DataFrame) -> np.ndarray:
        starts = sessions[TIMESTAMP].to_numpy()
        return _choose(test=starts >= test_from, valid=starts >= valid_from)

    return _of_whole_sessions(assign)


def _by_column(config: SplitByColumn, read_chunks: ReadChunks, shortest: int) -> Divide:
    """Count the training sessions before splitting, as the last ones may be used for validation."""
    named: Counter[object] = Counter()
    for chunk in read_chunks():
        named.update(_first_events(chunk)[SPLIT])
    kept = named["train"] - (0 if named["valid"] else round(named["train"] * config.valid_share_of_train))

    def divide(chunks: Iterable[pd.DataFrame]) -> Iterator[SplitChunk]:
        before = 0
        for chunk in chunks:
            named = _first_events(chunk)[SPLIT].to_numpy(object)
            # Training sessions are numbered in the order of the source, across chunks.
            number = before + np.cumsum(named == "train")
            before += int((named == "train").sum())
            late = (named == "train") & (number > kept)
            splits = _choose(test=named == "test", valid=(named == "valid") | late)
            yield chunk, splits[_session_numbers(chunk)]

    return divide


def _by_events(config: LeaveOneOut, read_chunks: ReadChunks, shortest: int) -> Divide:
    return lambda chunks: chain.from_iterable(leave_one_out(chunk, shortest) for chunk in chunks)


#: Functions that prepare a split, by the class of its settings. The result divides each pass over the
#: interactions.
SPLITTERS: dict[type[Split], Callable[[Any, ReadChunks, int], Divide]] = {
    SplitByColumn: _by_column,
    SplitByTime: _by_time,
    SplitByHash: _by_hash,
    SplitByModulus: _by_modulus,
    LeaveOneOut: _by_events,
}


def leave_one_out(events: pd.DataFrame, shortest: int) -> Iterator[SplitChunk]:
    """Yield sessions without their last two events (training), without the last (validation), whole (test).

    Held-out events come with all earlier events, from which they are predicted. A session that would leave
    fewer than `shortest` events for training is used for training only, whole.

    Args:
        events: a chunk of whole sessions.
        shortest: the fewest events of a session.
    """
    session = _session_numbers(events)
    length = np.bincount(session)[session]
    to_the_end = length - events[POSITION].to_numpy()
    divided = length >= shortest + _HELD_OUT
    for split, kept in (
        (TRAIN, ~divided | (to_the_end > _HELD_OUT)),
        (VALID, divided & (to_the_end > 1)),
        (TEST, divided),
    ):
        part = events[kept].reset_index(drop=True)
        if len(part):
            yield part, np.full(len(part), split, np.int8)


def split_by_hash(session_ids: pd.Series, config: SplitByHash) -> np.ndarray:
    """Return the split of each session by a hash of its id as text: the same on any machine, in any order."""
    share = (id_hashes(session_ids) >> np.uint64(11)).astype(np.float64) / 2.0**53
    return _choose(test=share < config.test_share, valid=share < config.test_share + config.valid_share)


def split_by_modulus(session_ids: pd.Series, config: SplitByModulus) -> np.ndarray:
    """Return the split of each session by the remainder of its id, a whole number."""
    remainders = (parse_whole_numbers(session_ids) % config.modulus).to_numpy(np.int64)
    return _choose(test=np.isin(remainders, config.test), valid=np.isin(remainders, config.valid))


def time_cuts(starts: Iterable[np.ndarray], config: SplitByTime) -> tuple[np.datetime64, np.datetime64]:
    """Return the times from which on sessions are for validation, and for test.

    Sessions that start at the same instant stay together, so a share can become larger than configured.

    Args:
        starts: blocks of times of the first event of each session, datetime64 [S], in any order.
        config: the shares of the splits.
    """
    with NumbersOnDisk() as times:
        for block in starts:
            times.add(block.astype("datetime64[us]").astype(np.int64))
        n_test = round(len(times) * config.test_share)
        n_later = n_test + round(len(times) * config.valid_share)
        first_test, first_valid = (
            np.datetime64(times.nth(min(max(len(times) - later, 0), len(times) - 1)), "us")
            for later in (n_test, n_later)
        )
    return first_valid, first_test


def draw_cold_items(splits: Iterable[SplitChunk], items: KnownItems, share: float, seed: int) -> np.ndarray:
    """Draw cold items uniformly from those that occur in training sessions.

    Returns:
        A mask of the cold items, bool [items], in the order of `items.ids`.
    """
    seen = np.zeros(len(items), dtype=bool)
    for chunk, split in splits:
        seen[items.positions(chunk[ITEM_ID][split == TRAIN])] = True
    candidates = np.flatnonzero(seen)
    cold = np.zeros(len(items), dtype=bool)
    # At least one item is drawn, as cold items were asked for.
    count = min(max(round(len(candidates) * share), 1), len(candidates))
    cold[np.random.default_rng(seed).choice(candidates, count, replace=False)] = True
    return cold


def leave_out_cold(splits: Iterable[SplitChunk], items: KnownItems, cold: np.ndarray) -> Iterator[SplitChunk]:
    """Mark training and validation sessions that hold a cold item as LEFT_OUT; test sessions stay.

    Args:
        splits: the interactions with their splits.
        items: the known items.
        cold: mask of the cold items, bool [items].
    """
    for chunk, split in splits:
        session = _session_numbers(chunk)
        holds_cold = np.bincount(session, weights=cold[items.positions(chunk[ITEM_ID])]) > 0
        yield chunk, np.where((split != TEST) & holds_cold[session], np.int8(LEFT_OUT), split)


def _first_events(events: pd.DataFrame) -> pd.DataFrame:
    return events[events[POSITION] == 0]


def _session_numbers(events: pd.DataFrame) -> np.ndarray:
    return np.cumsum(events[POSITION].to_numpy() == 0) - 1


def _choose(test: np.ndarray, valid: np.ndarray) -> np.ndarray:
    return np.where(test, TEST, np.where(valid, VALID, TRAIN)).astype(np.int8)
