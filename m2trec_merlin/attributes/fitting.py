"""Operators that are fitted part by part: a small result of each part, and what all of them say together.

Upstream, operators are fitted on a Dask dataframe, which has to know the library of its parts. Here a part is
whatever `frames` knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dask import delayed
from merlin.dag.ops.stat_operator import StatOperator
from nvtabular import ColumnSelector

from m2trec_merlin.frames import Frame


class FittedByParts(StatOperator):
    """Has `fit_part` and `join`; `fit_finalize` takes what `join` returns."""

    def fit_part(self, col_selector: ColumnSelector, df: Frame) -> Any:
        """Return what one part says: small, and on the host."""
        raise NotImplementedError

    def join(self, parts: Sequence[Any]) -> Any:
        """Return what all parts say together."""
        raise NotImplementedError

    def fit(self, col_selector: ColumnSelector, ddf: Any) -> Any:
        """Do it on the partitions of a Dask dataframe, as `nvtabular.Workflow.fit` asks for it."""
        return delayed(self.join)([delayed(self.fit_part)(col_selector, part) for part in ddf.to_delayed()])


def add_counts(parts: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, Counter[str]]:
    """Add up the counts of several parts, column by column."""
    total: dict[str, Counter[str]] = {}
    for part in parts:
        for name, counts in part.items():
            total.setdefault(name, Counter()).update(counts)
    return total
