"""Shortlists of the lists of FAISS."""

from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.search.candidates import Asked
from m2trec_merlin.search.ivf import IvfShortlist, enough_lists

N_ROWS = 500


class Rising:
    """Lists in which row 0 is the nearest to every point, then row 1, and so on."""

    nprobe = 1

    def search(self, points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Lists.search`."""
        rows = np.tile(np.arange(k), (len(points), 1))
        return rows.astype(np.float32), rows


@pytest.mark.parametrize("void", [[], [1, 2, 300]], ids=["all rows", "some elsewhere"])
def test_what_a_search_finds_does_not_depend_on_the_others(void: list[int]) -> None:
    """A search for more rows than lists are asked for is answered otherwise, it alone."""
    is_other = np.isin(np.arange(N_ROWS), void)
    shortlist = IvfShortlist(Rising(), np.array(void[:1], np.int64), is_other, len(void))
    counts = [3, 200, 5, 79, 1] * 5
    asked = Asked(np.zeros((len(counts), 4), np.float32), np.zeros(len(counts), np.float32))
    together = shortlist.best(asked, counts)
    one = Asked(asked.queries[:1], asked.novelties[:1])
    for count, found in zip(counts, together, strict=True):
        [alone] = shortlist.best(one, [count])
        if found is None:
            assert alone is None and count + min(len(void), count) > 80
        else:
            assert alone is not None and alone.tolist() == found.tolist()
            assert found.tolist() == [*[row for row in range(N_ROWS) if row not in void][:count], *void[:1]]


class InOneList:
    """All points, and nothing near to any, in the last of some lists."""

    nprobe = 1

    def __init__(self, points: np.ndarray, needed: int) -> None:
        self._points, self._needed = points, needed
        self.tried: list[int] = []

    def search(self, points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `FaissIndex.search`."""
        self.tried.append(self.nprobe)
        squares = np.square(points[:, None] - self._points).sum(axis=2)
        rows = np.argsort(squares, axis=1)[:, :k]
        missed = self.nprobe < self._needed
        return np.take_along_axis(squares, rows, axis=1) + (1e9 if missed else 0), rows


@pytest.mark.parametrize("needed", [1, 16, 17, 33, 45, 64, 65, 100, 400])
def test_no_more_lists_are_looked_through_than_hold_the_best_to_an_eighth(needed: int) -> None:
    rng = np.random.default_rng(0)
    points, sample = rng.normal(size=(60, 4)), rng.normal(size=(5, 4))
    lists = InOneList(points, needed)
    found = enough_lists(lists, 400, points, sample)
    assert max(needed, 16) <= found <= max(needed * 9 / 8, needed + 1, 16)
    assert len(set(lists.tried)) == len(lists.tried) < 12


def test_a_catalogue_of_few_lists_is_looked_through_whole() -> None:
    points = np.random.default_rng(0).normal(size=(30, 4))
    assert enough_lists(InOneList(points, 1), 3, points, points[:2]) == 3
