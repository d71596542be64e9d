from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.runners.data import cut_prefixes
from benchmarks.runners.exchange import TOP, Exchange, Flat, Job, top_lists
from m2trec_merlin.sessions import Sessions


def flat(*lists: list[int]) -> Flat:
    sessions = Sessions.from_lists(list(lists))
    return Flat(sessions.rows, sessions.offsets)


def as_lists(lists: Flat) -> list[list[int]]:
    return [lists.rows[a:b].tolist() for a, b in zip(lists.offsets, lists.offsets[1:], strict=False)]


some_lists = st.lists(st.lists(st.integers(1, 9), max_size=6), max_size=8)


@given(some_lists, st.integers(1, 7))
def test_last_events_are_kept(lists: list[list[int]], count: int) -> None:
    assert as_lists(flat(*lists).last(count)) == [one[-count:] for one in lists]


@given(some_lists, st.data())
def test_taking_lists(lists: list[list[int]], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(lists) - 1))) if lists else []
    assert as_lists(flat(*lists).take(np.array(chosen, np.int64))) == [lists[i] for i in chosen]


def test_padding_on_either_side() -> None:
    lists = flat([1, 2], [], [3])
    np.testing.assert_array_equal(lists.padded(3), [[1, 2, 0], [0, 0, 0], [3, 0, 0]])
    np.testing.assert_array_equal(lists.padded(3, left=True), [[0, 1, 2], [0, 0, 0], [0, 0, 3]])


def test_exchange_survives_its_file(tmp_path: Path) -> None:
    exchange = Exchange(flat([1, 2], [2, 3, 5]), flat([2], [9, 5], [0]))
    exchange.save(tmp_path / "data.npz")
    read = Exchange.load(tmp_path / "data.npz")
    assert as_lists(read.train) == [[1, 2], [2, 3, 5]]
    assert as_lists(read.prefixes) == [[2], [9, 5], [0]]
    assert read.items.tolist() == [1, 2, 3, 5]
    assert read.n_targets == 1 + 2
    assert as_lists(read.known_prefixes()) == [[2], [5], []]


def test_job_survives_its_file(tmp_path: Path) -> None:
    job = Job("data.npz", "train", str(tmp_path), 20, 100, 60.0, 10.0, 2, 42, {"width": 128})
    job.save(tmp_path / "work" / "job.json")
    assert Job.load(tmp_path / "work" / "job.json") == job
    assert replace(job, seed=1) != job


def test_prefixes_keep_their_last_events_and_no_target() -> None:
    prefixes = Sessions.from_lists([[1, 2, 3, 4], [5, 6]]).prefixes()
    assert as_lists(cut_prefixes(prefixes, 2)) == [[1], [1, 2], [2, 3], [5]]


@pytest.mark.parametrize("n", [1, 700])
def test_empty_prefixes_get_empty_lists(n: int) -> None:
    prefixes = flat(*([[7], []] * n))
    lists = top_lists(prefixes, lambda block: block.padded(3) + 1)
    assert lists.shape == (2 * n, TOP)
    np.testing.assert_array_equal(lists[::2, :4], np.tile([8, 1, 1, 0], (n, 1)))
    assert not lists[1::2].any()
