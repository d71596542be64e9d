"""What the benchmark hands to a runner: sessions and prefixes as flat arrays, and one JSON file of settings.

Runners of other libraries import this module in environments of their own, so it needs numpy alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: Items that a runner ranks for each prefix.
TOP = 100

#: Prefixes that are ranked at a time, so that evaluation does not decide the peak of memory.
BLOCK = 256


@dataclass(frozen=True)
class Flat:
    """Ragged lists of catalogue rows: list `i` is `rows[offsets[i]:offsets[i + 1]]`.

    Attributes:
        rows: int64 [E].
        offsets: int64 [n + 1].
    """

    rows: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 [n]."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> np.ndarray:
        """int64 [E], the list that each entry of `rows` belongs to."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def keep(self, mask: np.ndarray) -> Flat:
        """Drop entries; lists may become empty, none disappears."""
        kept = np.bincount(self.owners[mask], minlength=len(self))
        return Flat(self.rows[mask], np.concatenate([[0], np.cumsum(kept)]))

    def last(self, count: int) -> Flat:
        """Keep the last `count` entries of each list."""
        return self.keep(np.arange(len(self.rows)) >= np.repeat(self.offsets[1:] - count, self.lengths))

    def take(self, indices: np.ndarray) -> Flat:
        """Return the lists at `indices`."""
        starts, lengths = self.offsets[:-1][indices], self.lengths[indices]
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        positions = np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
        return Flat(self.rows[positions], np.concatenate([[0], ends]).astype(np.int64))

    def padded(self, width: int, *, left: bool = False) -> np.ndarray:
        """Return int64 [n, width], filled up with 0 on the right, or on the left."""
        columns = np.arange(width)
        lengths = self.lengths[:, None]
        padded = np.zeros((len(self), width), np.int64)
        padded[columns >= width - lengths if left else columns < lengths] = self.rows
        return padded


@dataclass(frozen=True)
class Exchange:
    """The data of one benchmark.

    Attributes:
        train: training sessions, cut to the longest length.
        prefixes: validation prefixes, cut likewise; 0 and rows that training never saw may occur.
    """

    train: Flat
    prefixes: Flat

    def save(self, path: Path) -> None:
        """Write one npz file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            train_rows=self.train.rows,
            train_offsets=self.train.offsets,
            prefix_rows=self.prefixes.rows,
            prefix_offsets=self.prefixes.offsets,
        )

    @classmethod
    def load(cls, path: Path) -> Exchange:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(
                Flat(arrays["train_rows"], arrays["train_offsets"]),
                Flat(arrays["prefix_rows"], arrays["prefix_offsets"]),
            )

    @property
    def items(self) -> np.ndarray:
        """Rows that occur in training, rising: what a model of item ids can know."""
        return np.unique(self.train.rows)

    @property
    def n_targets(self) -> int:
        """Next items that an epoch predicts if every position but a session's first is one."""
        return int(np.maximum(self.train.lengths - 1, 0).sum())

    def known_prefixes(self) -> Flat:
        """Prefixes without the items that training never saw; some may be empty."""
        return self.prefixes.keep(np.isin(self.prefixes.rows, self.items))


@dataclass(frozen=True)
class Job:
    """One system's task, as its runner reads it.

    Attributes:
        data: npz file of the exchange.
        train_folder: the same training sessions as Parquet, a column `row` of lists.
        folder: the runner's own, for its lists and whatever its library writes.
        max_length: longest session.
        n_rows: N + 1 of the catalogue.
        budget_seconds: of training time.
        eval_seconds: training time between two looks at the quality.
        threads: CPU threads.
        seed: of initialisation and order.
        settings: of this system.
    """

    data: str
    train_folder: str
    folder: str
    max_length: int
    n_rows: int
    budget_seconds: float
    eval_seconds: float
    threads: int
    seed: int
    settings: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Job:
        """Read what `save` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def top_lists(prefixes: Flat, best: Callable[[Flat], np.ndarray]) -> np.ndarray:
    """Rank prefixes block by block.

    Args:
        prefixes: empty ones get an empty list, which is a miss.
        best: returns the best rows of a block of prefixes, best first, int64 [P, at most TOP].

    Returns:
        int64 [P, TOP]; 0 fills short lines.
    """
    lists = np.zeros((len(prefixes), TOP), np.int64)
    held = np.flatnonzero(prefixes.lengths)
    for start in range(0, len(held), BLOCK):
        block = held[start : start + BLOCK]
        rows = best(prefixes.take(block))
        lists[block, : rows.shape[1]] = rows
    return lists


def ranker(model: Any, prefixes: Flat, best: Callable[[Flat], np.ndarray]) -> Callable[[], np.ndarray]:
    """Return what a meter looks with: top lists of a model that is in evaluation mode meanwhile."""

    def rank() -> np.ndarray:
        model.eval()
        lists = top_lists(prefixes, best)
        model.train()
        return lists

    return rank
