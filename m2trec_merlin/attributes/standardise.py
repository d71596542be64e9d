"""Standardised numbers as an NVTabular operator that no column of numbers defeats."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from nvtabular import ColumnSelector
from nvtabular.ops import Normalize

from m2trec_merlin.arrays import Array
from m2trec_merlin.artifacts import atomic_write, read_json, reading
from m2trec_merlin.attributes.fitting import FittedByParts
from m2trec_merlin.frames import Frame, frames_of

#: Deviations from the mean kept of a number: more than any of 10^12 items it was fitted on can have, and few
#: enough for the model to compute with in float32.
_FARTHEST = 1e6

#: How many numbers, their mean, and the sum of their squared distances from it.
Moments = tuple[int, float, float]


class Standardise(FittedByParts, Normalize):
    """NVTabular's Normalize, with exact moments, and numbers far from all that were fitted on brought nearer.

    Upstream, the variance is the difference of the sum of squares and the square of the sum: two large
    numbers, of which for a column of dates or ids nothing true is left.
    """

    def __init__(self) -> None:
        super().__init__(out_dtype=np.float32)

    def fit_part(self, col_selector: ColumnSelector, df: Frame) -> dict[str, Moments]:
        """Take the moments of a part."""
        frames = frames_of(df)
        return {name: _moments(frames.floats(df[name])) for name in col_selector.names}

    def join(self, parts: Sequence[Mapping[str, Moments]]) -> dict[str, Moments]:
        """Return the moments of all parts together."""
        joined = dict(parts[0])
        for part in parts[1:]:
            for name, (more, other, squares) in part.items():
                count, mean, before = joined[name]
                total, distance = count + more, other - mean
                share = more / total if total else 0.0
                joined[name] = total, mean + distance * share, before + squares + distance**2 * count * share
        return joined

    def fit_finalize(self, dask_stats: Mapping[str, Moments]) -> None:
        """Keep mean and deviation of each column; 0 and 0 where no number is known."""
        for name, (count, mean, squares) in dask_stats.items():
            self.means[name] = mean
            self.stds[name] = float(np.sqrt(squares / max(count - 1, 1)))

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Replace numbers by their distances from the mean in deviations, float32."""
        frames = frames_of(df)
        columns = {}
        for name in col_selector.names:
            distances = (frames.floats(df[name]) - self.means[name]) / (self.stds[name] or 1.0)
            columns[name] = frames.column(distances.clip(-_FARTHEST, _FARTHEST).astype(np.float32))
        return frames.frame(columns)

    def write_learned(self, column: str, folder: Path) -> None:
        """Write COLUMN.json: mean and deviation, to the last bit."""
        moments = {"mean": float(self.means[column]), "deviation": float(self.stds[column])}
        atomic_write(folder / f"{column}.json", json.dumps(moments))

    def read_learned(self, column: str, folder: Path) -> None:
        """Read COLUMN.json; see `Learning`."""
        path = folder / f"{column}.json"
        moments = read_json(path, "preprocess")
        with reading(path, "preprocess"):
            self.means[column], self.stds[column] = float(moments["mean"]), float(moments["deviation"])

    def start_from(self, column: str, folder: Path) -> None:
        """Nothing: mean and deviation move with the data; see `Learning`."""


def _moments(values: Array) -> Moments:
    values = values[values == values]
    # From the first one on, so that equal numbers have no deviation at all.
    mean = float(values[0] + (values - values[0]).mean()) if len(values) else 0.0
    return len(values), mean, float(((values - mean) ** 2).sum())
