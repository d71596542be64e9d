"""The input of a runner: sessions and prefixes as flat arrays, and one JSON file of settings.

Runners of other libraries import this module in separate environments, so it needs only numpy.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: Items in a runner's list for each prefix.
TOP = 100

#: Prefixes ranked at a time, so that evaluation does not determine the peak memory.
BLOCK = 256


@dataclass(frozen=True)
class Flat:
    """Ragged lists of catalogue rows: list `i` is `rows[offsets[i]:offsets[i + 1]]`.

    Attributes:
        rows: the rows of all lists, int64 [E].
        offsets: the bounds of the lists, int64 [n + 1].
    """

    rows: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """The lengths of the lists, int64 [n]."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> np.ndarray:
        """The number of the list that each entry of `rows` belongs to, int64 [E]."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def keep(self, mask: np.ndarray) -> Flat:
        """Keep the entries where the mask is true; lists may become empty, but none disappears."""
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
        """Return the lists as a matrix, int64 [n, width], padded with 0 on the right, or on the left."""
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
        prefixes: validation prefixes, cut likewise; they may hold 0, and rows that do not occur in training.
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
        """The sorted rows that occur in training: all that a model of item ids can know."""
        return np.unique(self.train.rows)

    @property
    def n_targets(self) -> int:
        """The number of targets in an epoch, if every event except a session's first is one."""
        return int(np.maximum(self.train.lengths - 1, 0).sum())

    def known_prefixes(self) -> Flat:
        """Return the prefixes without items that do not occur in training; some may be empty."""
        return self.prefixes.keep(np.isin(self.prefixes.rows, self.items))


@dataclass(frozen=True)
class Job:
    """The job of one runner.

    Attributes:
        data: path of the npz file of the exchange.
        train_folder: folder of the same training sessions as Parquet, with a column `row` of lists.
        folder: folder for the runner's lists and files of its library.
        max_length: length of the longest session.
        n_rows: number of catalogue rows, N + 1.
        budget_seconds: seconds of training time.
        eval_seconds: seconds of training time between looks at the quality.
        threads: number of CPU threads.
        seed: seed of initialisation and order.
        settings: settings of this system.
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
        """Write the job as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Job:
        """Read what `save` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def top_lists(prefixes: Flat, best: Callable[[Flat], np.ndarray]) -> np.ndarray:
    """Rank items after prefixes, block by block.

    Args:
        prefixes: the prefixes; empty ones get an empty list, which is a miss.
        best: function that returns the best rows of prefixes, best first, int64 [P, at most TOP].

    Returns:
        The top lists, int64 [P, TOP], short ones padded with 0.
    """
    lists = np.zeros((len(prefixes), TOP), np.int64)
    held = np.flatnonzero(prefixes.lengths)
    for start in range(0, len(held), BLOCK):
        block = held[start : start + BLOCK]
        rows = best(prefixes.take(block))
        lists[block, : rows.shape[1]] = rows
    return lists


def ranker(model: Any, prefixes: Flat, best: Callable[[Flat], np.ndarray]) -> Callable[[], np.ndarray]:
    """Return a function for a meter that ranks with a model, in evaluation mode meanwhile."""

    def rank() -> np.ndarray:
        model.eval()
        lists = top_lists(prefixes, best)
        model.train()
        return lists

    return rank
