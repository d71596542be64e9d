"""What mixtures of a model and its neighbours are worth, and which one is best.

Shape legend: P prefixes, S places of the longest shortlist.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np

from m2trec_merlin.evaluation.shortlists import Shortlists
from m2trec_merlin.neighbours.mixture import View, Weights
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.sessions import Prefixes

#: Values to try for each weight, in every combination.
Grid = Mapping[str, tuple[float, ...]]

#: What is tried first.
GRID: Grid = {
    "by_id": (0.0, 1.0, 2.0, 4.0),
    "by_metadata": (0.0, 1.0, 2.0),
    "content": (0.0, 0.25, 0.5, 1.0),
    "rare_content": (0.0, 0.5, 1.0, 2.0, 3.0),
    "rare": (-1.0, 0.0, 1.0, 2.0),
}
#: By how much each weight of the best is then changed, up and down; in the end by half as much.
STEPS = {"by_id": 0.75, "by_metadata": 0.5, "content": 0.15, "rare_content": 0.4, "rare": 0.5}
#: The view behind a weight; the last of the weights needs none.
_VIEW_OF: dict[str, View] = {
    "by_id": "by_id",
    "by_metadata": "by_metadata",
    "content": "content",
    "rare_content": "content",
}

#: Prefixes below which a part of the sample says nothing.
ENOUGH_OF_A_PART = 50

_K = 20


@dataclass(frozen=True)
class Sample:
    """Prefixes to choose on.

    Attributes:
        prefixes: all of them.
        anywhere: bool [P], drawn from all prefixes.
        rare: bool [P], the next item has few training occurrences.
        new: bool [P], it has none.
    """

    prefixes: Prefixes
    anywhere: np.ndarray
    rare: np.ndarray
    new: np.ndarray

    def sizes(self) -> dict[str, int]:
        """Return the number of prefixes of each part."""
        parts = {"all": self.anywhere, "rare": self.rare, "new": self.new}
        return {name: int(part.sum()) for name, part in parts.items()}


@dataclass(frozen=True)
class Point:
    """What weights are worth.

    Attributes:
        weights: of the mixture.
        hit: HIT@20 over prefixes drawn from all.
        mrr: MRR@20 over the same.
        rare: HIT@20 over targets with few training occurrences; None where there are hardly any.
        new: HIT@20 over targets without any; likewise.
    """

    weights: Weights
    hit: float
    mrr: float
    rare: float | None
    new: float | None

    @property
    def tail(self) -> float:
        """The mean of rare and new targets, as far as they were measured; 0 if neither was."""
        known = [value for value in (self.rare, self.new) if value is not None]
        return sum(known) / len(known) if known else 0.0


def search(lists: Shortlists, sample: Sample, loss: float, progress: Progress = SILENT) -> list[Point]:
    """Return what mixtures are worth: those of `GRID`, and finer ones around the best of these.

    Args:
        lists: what the views say of the sample; weights of views that are not there stay 0.
        sample: which of them count for what.
        loss: see `choose`.
        progress: is told how many combinations have been tried.
    """
    points = list(measure(lists, sample, GRID, progress))
    for share in (1.0, 0.5):
        points += measure(lists, sample, around(choose(points, loss).weights, share), progress)
    return points


def around(weights: Weights, share: float) -> Grid:
    """Return the grid of the weights and of a share of `STEPS` more and less; none but `rare` below 0."""
    tried = {
        name: [value + way * share * STEPS[name] for way in (-1, 0, 1)]
        for name, value in asdict(weights).items()
    }
    lowest = {"rare": -np.inf}
    return {
        name: tuple(sorted({max(value, lowest.get(name, 0.0)) for value in values}))
        for name, values in tried.items()
    }


def measure(lists: Shortlists, sample: Sample, grid: Grid, progress: Progress = SILENT) -> Iterator[Point]:
    """Yield what every combination of a grid is worth; see `search`."""
    grid = {
        name: values if name not in _VIEW_OF or _VIEW_OF[name] in lists.lifts else (0.0,)
        for name, values in grid.items()
    }
    total = int(np.prod([len(values) for values in grid.values()]))
    for done, (weights, scores_PS) in enumerate(_mixtures(lists, grid), 1):
        yield _point(weights, lists.ranks(scores_PS), sample)
        if done % 50 == 0 or done == total:
            progress.advance("trying mixtures", done, total)


def _mixtures(lists: Shortlists, grid: Grid) -> Iterator[tuple[Weights, np.ndarray]]:
    """Yield what `neighbours.mixture.mix` gives for all weights; valid until the next ones."""
    nothing = np.zeros((), np.float32)
    by_id, by_metadata, content = (lists.lifts.get(v, nothing) for v in ("by_id", "by_metadata", "content"))
    for near, alike in product(grid["by_id"], grid["by_metadata"]):
        neighbours = lists.model + np.float32(near) * by_id + np.float32(alike) * by_metadata
        for words, rare_words in product(grid["content"], grid["rare_content"]):
            mixed = neighbours + (np.float32(words) + np.float32(rare_words) * lists.rare) * content
            for before, rare in zip((0.0, *grid["rare"]), grid["rare"], strict=False):
                mixed += np.float32(rare - before) * lists.rare
                yield Weights(near, alike, words, rare_words, rare), mixed


def _point(weights: Weights, ranks: np.ndarray, sample: Sample) -> Point:
    hits = ranks <= _K
    reciprocal = np.where(hits, 1 / ranks, 0)[sample.anywhere]
    rare, new = (
        float(hits[part].mean()) if part.sum() >= ENOUGH_OF_A_PART else None
        for part in (sample.rare, sample.new)
    )
    return Point(weights, float(hits[sample.anywhere].mean()), float(reciprocal.mean()), rare, new)


def choose(points: Sequence[Point], loss: float) -> Point:
    """Return the point that is best on the tail among those that lose next to nothing over all.

    That is at most `loss` of the best HIT@20 of any point, and as much of the best MRR@20 of any. Where no
    point does, as one measure costs the other, it is the one that loses least of the worse of the two.

    Args:
        points: at least one.
        loss: share, 0.01 for 1 %.
    """
    best_hit = max(max(point.hit for point in points), 1e-9)
    best_mrr = max(max(point.mrr for point in points), 1e-9)
    kept = {id(point): min(point.hit / best_hit, point.mrr / best_mrr) for point in points}
    enough = [point for point in points if kept[id(point)] >= 1 - loss]
    if not enough:
        return max(points, key=lambda point: kept[id(point)])
    return max(enough, key=lambda point: (point.tail, point.hit, point.mrr))


def frontier(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other one beats on one measure without losing on the other, best first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (-p.hit, -p.tail, -p.mrr)):
        if not best or point.tail > best[-1].tail:
            best.append(point)
    return best
