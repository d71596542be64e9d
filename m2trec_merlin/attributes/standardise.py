"""An NVTabular operator that standardises numbers, and stays exact for columns such as dates or large ids."""

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

#: Standardised numbers are clipped to this many deviations: none of 10^12 fitted items can exceed it, and the
#: model can compute with it in float32.
_FARTHEST = 1e6

#: The count of some numbers, their mean, and the sum of their squared distances from the mean.
Moments = tuple[int, float, float]


class Standardise(FittedByParts, Normalize):
    """Standardise numbers, as NVTabular's Normalize, but with exact moments and clipping.

    Upstream computes the variance from the sum of squares minus the square of the sum. For a column of dates
    or ids, these two large numbers cancel, and no correct digit is left.
    """

    def __init__(self) -> None:
        super().__init__(out_dtype=np.float32)

    def fit_part(self, col_selector: ColumnSelector, df: Frame) -> dict[str, Moments]:
        """Compute the moments of each column in a part of the data."""
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
        """Keep the mean and deviation of each column; both are 0 for a column without numbers."""
        for name, (count, mean, squares) in dask_stats.items():
            self.means[name] = mean
            self.stds[name] = float(np.sqrt(squares / max(count - 1, 1)))

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Replace numbers by their distance from the mean in deviations, clipped, float32."""
        frames = frames_of(df)
        columns = {}
        for name in col_selector.names:
            distances = (frames.floats(df[name]) - self.means[name]) / self._deviation(name)
            columns[name] = frames.column(distances.clip(-_FARTHEST, _FARTHEST).astype(np.float32))
        return frames.frame(columns)

    def undo(self, column: str, encoded: np.ndarray) -> np.ndarray:
        """Return the numbers behind standardised ones, float64, to the precision of float32."""
        return encoded.astype(np.float64) * self._deviation(column) + self.means[column]

    def _deviation(self, column: str) -> float:
        return self.stds[column] or 1.0

    def write_learned(self, column: str, folder: Path) -> None:
        """Write COLUMN.json: the mean and deviation, to the last bit."""
        moments = {"mean": float(self.means[column]), "deviation": float(self.stds[column])}
        atomic_write(folder / f"{column}.json", json.dumps(moments))

    def read_learned(self, column: str, folder: Path) -> None:
        """Read COLUMN.json; see `Learning`."""
        path = folder / f"{column}.json"
        moments = read_json(path, "preprocess")
        with reading(path, "preprocess"):
            self.means[column], self.stds[column] = float(moments["mean"]), float(moments["deviation"])

    def start_from(self, column: str, folder: Path) -> None:
        """Do nothing: mean and deviation follow the new data; see `Learning`."""


def _moments(values: Array) -> Moments:
    values = values[values == values]
    # Relative to the first number, so that the deviation of equal numbers is exactly 0.
    mean = float(values[0] + (values - values[0]).mean()) if len(values) else 0.0
    return len(values), mean, float(((values - mean) ** 2).sum())
