"""What mixtures of a model and its neighbours are worth, and which one is best.

Shape legend: P prefixes, S places of the longest shortlist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from m2trec_merlin.evaluation.outcomes import UNRANKED
from m2trec_merlin.evaluation.tuning.samples import Parts
from m2trec_merlin.evaluation.tuning.shortlists import BEST, Shortlists
from m2trec_merlin.neighbours.views import Weight
from m2trec_merlin.neighbours.weights import VIEWS, WEIGHTS, Weights
from m2trec_merlin.progress import SILENT, Progress

#: Where the search starts: the model alone, and what does well anywhere.
STARTS = (Weights(), Weights(by_id=2.0, content=0.25, rare_content=1.0))
#: From the best over all: weights of words and of the session's novelty, and what is added to rare items.
#: Words of the nearest items weigh about 2, which is taken off again.
RARE_STARTS = ((0.5, 1.5, 3.0), (0.0, 1.5, 3.0), (-2.0, -1.0, 0.0, 1.0, 2.0))
#: What a doubling of the tail may cost over all, as shares, one after another.
PRICES = (0.01, 0.02, 0.04)
#: The tail from which on more of it is worth nothing: chance has its part in the best of a thousand mixtures.
ENOUGH_OF_THE_TAIL = 1.2
#: Prefixes below which a part of the sample says nothing, and lowering its items costs nothing that shows.
ENOUGH_OF_A_PART = 50

_K = 20


def search_settings() -> list[object]:
    """Return what decides where a search goes: another choice is due once it changes."""
    weights = [(weight.name, weight.step, weight.signed) for weight in WEIGHTS.values()]
    views = {name: (view.guess, view.settings) for name, view in VIEWS.items()}
    starts = [dict(start) for start in STARTS]
    return [weights, views, PRICES, RARE_STARTS, ENOUGH_OF_THE_TAIL, ENOUGH_OF_A_PART, starts, BEST]


@dataclass(frozen=True)
class Point:
    """What weights are worth.

    Attributes:
        weights: of the mixture.
        hit: HIT@20 over prefixes drawn from all.
        mrr: MRR@20 over the same.
        rare: HIT@20 over targets with few training occurrences; None where there are hardly any.
        new: HIT@20 over targets without any; likewise.
        tail: the harmonic mean of the last two as far as they were measured, each divided by that of the best
            single view; the smaller one counts most, and no hit as half of one. 0 if neither was measured.
    """

    weights: Weights
    hit: float
    mrr: float
    rare: float | None
    new: float | None
    tail: float = 0.0

    def kept(self, best_hit: float, best_mrr: float) -> float:
        """Return the share that is left of the best HIT@20 and of the best MRR@20, the smaller one."""
        return min(self.hit / max(best_hit, 1e-9), self.mrr / max(best_mrr, 1e-9))


class Trials:
    """Mixtures that were tried, each measured once.

    Args:
        lists: what the views say of the sample; weights of views that are not there stay 0.
        parts: which prefixes count for what.

    Attributes:
        points: what was measured.
        best_hit: HIT@20 of any of them.
        best_mrr: MRR@20 of any of them.
        names: of the weights that can change anything.
        single: HIT@20 of rare and of new targets by the best view alone.
    """

    def __init__(self, lists: Shortlists, parts: Parts) -> None:
        self.points: dict[Weights, Point] = {}
        self.best_hit = self.best_mrr = 0.0
        self._counted = parts
        alone = [lists.ranks(lists.alone(view)) <= _K for view in lists.lifts]
        self.single = [
            max([float(hits[part].mean()) for hits in alone], default=0.0) if enough else None
            for part, enough in self._parts()
        ]
        # Nobody would see what it costs to lower them.
        self._kept_up = {
            name for name, single in zip(("rare", "new"), self.single, strict=True) if single is None
        }
        # No weights find a next item that no view has among the best.
        self._within = np.flatnonzero(lists.target >= 0)
        self._lists = lists.take(self._within)
        self._terms = {name: term for name, term in terms(self._lists).items() if term.any()}
        self.names = [name for name in WEIGHTS if name in self._terms]

    def at(self, weights: Weights) -> Point:
        """Return what weights are worth; those of terms that are 0 everywhere are 0."""
        weights = self._rounded(weights)
        return self._worth(weights, self.names, self._lists.model)

    def around(self, weights: Weights, names: Sequence[str], share: float) -> list[Point]:
        """Return what all of `steps_around` are worth, which differ in `names` only."""
        found = [self._rounded(each) for each in steps_around(weights, names, share)]
        if all(each in self.points for each in found):
            return [self.points[each] for each in found]
        same = self._sum(weights, [name for name in self.names if name not in names], self._lists.model)
        return [self._worth(each, names, same) for each in found]

    def best(self, value: Callable[[Point], float]) -> Point:
        """Return the best point so far."""
        return max(self.points.values(), key=value)

    def climb(self, value: Callable[[Point], float]) -> None:
        """Go from the best point to better ones beside it, until there are none."""
        best = self.best(value)
        for share in (1.0, 0.5):
            improved = True
            while improved:
                improved = False
                for pair in combinations(self.names, 2):
                    found = max(self.around(best.weights, pair, share), key=value)
                    if value(found) > value(best):
                        best, improved = found, True

    def _parts(self) -> list[tuple[np.ndarray, bool]]:
        return [(part, part.sum() >= ENOUGH_OF_A_PART) for part in (self._counted.rare, self._counted.new)]

    def _rounded(self, weights: Weights) -> Weights:
        tried = {name: round(weights[name], 3) for name in self.names}
        return Weights(
            **{name: max(value, 0.0) if name in self._kept_up else value for name, value in tried.items()}
        )

    def _worth(self, weights: Weights, names: Sequence[str], scores: np.ndarray) -> Point:
        """Return what weights are worth, of which those in `names` are not yet in the scores."""
        if weights not in self.points:
            self.points[weights] = point = self._measure(weights, self._sum(weights, names, scores))
            self.best_hit, self.best_mrr = max(self.best_hit, point.hit), max(self.best_mrr, point.mrr)
        return self.points[weights]

    def _sum(self, weights: Weights, names: Sequence[str], scores: np.ndarray) -> np.ndarray:
        scores = scores.copy()
        for name in names:
            if weight := weights[name]:
                scores += np.float32(weight) * self._terms[name]
        return scores

    def _measure(self, weights: Weights, scores: np.ndarray) -> Point:
        ranks = np.full(len(self._counted.anywhere), UNRANKED)
        ranks[self._within] = self._lists.ranks(scores)
        hits, anywhere = ranks <= _K, self._counted.anywhere
        reciprocal = np.where(hits, 1 / ranks, 0)[anywhere]
        rare, new = (float(hits[part].mean()) if enough else None for part, enough in self._parts())
        times = [
            max(value, 0.5 / part.sum()) / max(single, 1 / part.sum())
            for value, single, (part, _) in zip((rare, new), self.single, self._parts(), strict=True)
            if value is not None and single is not None
        ]
        mean = len(times) / sum(1 / each for each in times) if times else 0.0
        over_all = float(hits[anywhere].mean()), float(reciprocal.mean())
        return Point(weights, *over_all, rare, new, mean)


def search(lists: Shortlists, parts: Parts, loss: float, progress: Progress = SILENT) -> list[Point]:
    """Return what mixtures are worth: those on the way to the best over all, and on from there to the tail.

    Two weights at a time are changed as long as something gets better. That is HIT@20 and MRR@20 over all
    at first; then what is kept of them plus the logarithm of the tail, which counts more and more; then the
    tail among those that lose as much as they may.

    Args:
        lists: what the views say of the sample.
        parts: which prefixes count for what.
        loss: see `choose`.
        progress: is told how many of its climbs are done.
    """

    def over_all(point: Point) -> float:
        return point.hit * point.mrr

    trials = Trials(lists, parts)
    climbs: list[Callable[[Point], float]] = [over_all, *(_traded(trials, price) for price in PRICES)]
    climbs += 2 * [_within(trials, loss)]
    for weights in STARTS:
        trials.at(weights)
    for done, value in enumerate(climbs, 1):
        trials.climb(value)
        progress.advance("trying mixtures", done, len(climbs))
        if value is over_all:
            best = trials.best(over_all).weights
            for words, session, rare in product(*RARE_STARTS):
                start = best.but(rare_content=words, new_session=session, rare=rare - 2 * words)
                trials.at(start)
    return list(trials.points.values())


def _traded(trials: Trials, price: float) -> Callable[[Point], float]:
    def value(point: Point) -> float:
        return point.kept(trials.best_hit, trials.best_mrr) + price * float(np.log2(point.tail + 0.01))

    return value


def _within(trials: Trials, loss: float) -> Callable[[Point], float]:
    def value(point: Point) -> float:
        kept = point.kept(trials.best_hit, trials.best_mrr)
        return min(point.tail, ENOUGH_OF_THE_TAIL) + 0.01 * kept if kept >= 1 - loss else kept - 1

    return value


def steps_around(weights: Weights, names: Sequence[str], share: float) -> list[Weights]:
    """Return the weights with those named changed by a share of their steps, in all combinations."""
    ways = [_beside(WEIGHTS[name], weights[name], share) for name in names]
    return [weights.but(**dict(zip(names, each, strict=True))) for each in product(*ways)]


def _beside(weight: Weight, value: float, share: float) -> list[float]:
    lowest = -np.inf if weight.signed else 0.0
    return sorted({max(value + way * share * weight.step, lowest) for way in (-1, 0, 1)})


def terms(lists: Shortlists) -> dict[str, np.ndarray]:
    """Return what `neighbours.mixture.Lifts` adds at a weight of 1, by its name, float32 [P, S]."""
    found = lists.past_terms()
    found["new_session"] = lists.novelty.astype(np.float32)[:, np.newaxis] * found["new"]
    for view, lifted in lists.lifts.items():
        found[view] = lifted
        if (more := VIEWS[view].rare_weight) is not None:
            found[more.name] = lists.rarity * lifted
    return found


def choose(points: Sequence[Point], loss: float) -> Point:
    """Return the point that is best on the tail among those that lose next to nothing over all.

    That is at most `loss` of the best HIT@20 of any point, and as much of the best MRR@20 of any. Of those
    with enough of the tail it is the best over all. Where no point loses as little, as one measure costs the
    other, it is the one that loses least of the worse of the two.

    Args:
        points: at least one.
        loss: share, 0.01 for 1 %.
    """
    best = max(point.hit for point in points), max(point.mrr for point in points)
    kept = {id(point): point.kept(*best) for point in points}
    enough = [point for point in points if kept[id(point)] >= 1 - loss]
    if not enough:
        return max(points, key=lambda point: kept[id(point)])
    return max(enough, key=lambda p: (min(p.tail, ENOUGH_OF_THE_TAIL), p.hit * p.mrr, p.hit))


def frontier(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other one beats on one measure without losing on the other, best first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (-p.hit, -p.tail, -p.mrr)):
        if not best or point.tail > best[-1].tail:
            best.append(point)
    return best
