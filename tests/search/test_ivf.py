"""Shortlists of the lists of FAISS."""

from __future__ import annotations

import numpy as np
import pytest

from m2trec_merlin.search.candidates import Asked
from m2trec_merlin.search.ivf import IvfShortlist

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
