"""Operators that are fitted part by part: each part of the data gives a small result, and these are joined.

Upstream fits operators on a Dask dataframe, which has to support the library of its parts. Here a part is any
frame that `frames` supports.
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
    """Base of operators fitted by parts: `fit_part`, then `join`, whose result goes to `fit_finalize`."""

    def fit_part(self, col_selector: ColumnSelector, df: Frame) -> Any:
        """Return the statistics of one part: small, and on the host."""
        raise NotImplementedError

    def join(self, parts: Sequence[Any]) -> Any:
        """Join the statistics of all parts."""
        raise NotImplementedError

    def fit(self, col_selector: ColumnSelector, ddf: Any) -> Any:
        """Fit on the partitions of a Dask dataframe, which is how `nvtabular.Workflow.fit` fits operators."""
        return delayed(self.join)([delayed(self.fit_part)(col_selector, part) for part in ddf.to_delayed()])


def add_counts(parts: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, Counter[str]]:
    """Add up the counts of several parts, column by column."""
    total: dict[str, Counter[str]] = {}
    for part in parts:
        for name, counts in part.items():
            total.setdefault(name, Counter()).update(counts)
    return total
