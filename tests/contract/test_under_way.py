from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.under_way import Counter, Counts, read_counts


def count(folder: Path) -> None:
    counter = Counter(folder, PREPROCESS)
    counter.take(3)
    counter.leave(1, 1)


def test_counts_are_read_as_they_are_made(tmp_path: Path) -> None:
    counter = Counter(tmp_path, PREPROCESS)
    assert list(read_counts(tmp_path, PREPROCESS).values()) == [Counts()]
    counter.take(3)
    counter.leave(2, 0)
    counter.take(1)
    assert list(read_counts(tmp_path, PREPROCESS).values()) == [Counts(4, 2, 0)]
    counter.leave(1, 1)
    [counts] = read_counts(tmp_path, PREPROCESS).values()
    assert counts == Counts(4, 3, 1) and counts.left == 4
    assert read_counts(tmp_path, PREDICT) == {}


def test_each_worker_has_a_file_that_stays_when_it_ends(tmp_path: Path) -> None:
    Counter(tmp_path, PREPROCESS).take(1)
    process = multiprocessing.get_context("spawn").Process(target=count, args=(tmp_path,))
    process.start(), process.join()
    counts = read_counts(tmp_path, PREPROCESS)
    assert sorted(counts) == sorted(path.name for path in tmp_path.iterdir()) and len(counts) == 2
    assert sum(counts.values(), Counts()) == Counts(4, 1, 1)


@pytest.mark.parametrize("content", [b"", b"\0" * 8])
def test_a_file_that_is_being_made_counts_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"{PREDICT}.1").write_bytes(content)
    assert read_counts(tmp_path, PREDICT) == {}
