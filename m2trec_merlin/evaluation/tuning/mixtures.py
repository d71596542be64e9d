"""The search for the best mixture of a model and its neighbours.

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

#: The weight that is chosen afterwards, with items listed anew (`newly_listed`); the search leaves it at 0.
LISTED = "listed"
#: Starts of the search: the model alone, and a mixture that does well on most data.
STARTS = (Weights(), Weights(by_id=2.0, content=0.25, rare_content=1.0))
#: Further starts from the best mixture over all: values of `rare_content`, of `new_session`, and of `rare`
#: plus twice `rare_content` (words lift the nearest items by about 2).
RARE_STARTS = ((0.5, 1.5, 3.0), (0.0, 1.5, 3.0), (-2.0, -1.0, 0.0, 1.0, 2.0))
#: Shares of the quality over all that a doubling of the tail may cost, in successive climbs.
PRICES = (0.01, 0.02, 0.04)
#: Value of the tail above which more is worth nothing: the best of a thousand mixtures is partly chance.
ENOUGH_OF_THE_TAIL = 1.2
#: Share of the quality over all, or of the tail, that a view has to add: each takes time after every session.
EARNED = 0.005
#: Number of prefixes below which a part of the sample is not measured.
ENOUGH_OF_A_PART = 50

_K = 20


def search_settings() -> list[object]:
    """Return all constants that a search depends on: if one changes, a mixture has to be chosen again."""
    weights = [(weight.name, weight.step, weight.signed) for weight in WEIGHTS.values()]
    views = {name: (view.guess, view.settings) for name, view in VIEWS.items()}
    starts = [dict(start) for start in STARTS]
    return [weights, views, PRICES, RARE_STARTS, ENOUGH_OF_THE_TAIL, ENOUGH_OF_A_PART, EARNED, starts, BEST]


@dataclass(frozen=True)
class Point:
    """The quality of a mixture.

    Attributes:
        weights: weights of the mixture.
        hit: HIT@20 over prefixes drawn from all.
        mrr: MRR@20 over the same prefixes.
        rare: HIT@20 over targets with few training occurrences; None if there are hardly any.
        new: HIT@20 over targets without training occurrences; None if there are hardly any.
        tail: the harmonic mean of `rare` and `new`, as far as measured, each divided by that of the best
            single view; the smaller one counts most, and no hit as half a hit. 0 if neither is measured.
    """

    weights: Weights
    hit: float
    mrr: float
    rare: float | None
    new: float | None
    tail: float = 0.0

    def kept(self, best_hit: float, best_mrr: float) -> float:
        """Return `hit` and `mrr` as shares of the best values, the smaller of both."""
        return min(self.hit / max(best_hit, 1e-9), self.mrr / max(best_mrr, 1e-9))


class Trials:
    """The mixtures tried so far, each measured once.

    Args:
        lists: shortlists of the sample; weights of views that it lacks stay 0.
        parts: the prefixes that count for each measure.

    Attributes:
        points: the measured points, by weights.
        best_hit: the best HIT@20 of all points.
        best_mrr: the best MRR@20 of all points.
        names: names of the weights that have any effect.
        single: HIT@20 of the best single view on `rare` and on `new` targets, unless they are too few.
    """

    def __init__(self, lists: Shortlists, parts: Parts) -> None:
        self.points: dict[Weights, Point] = {}
        self.best_hit = self.best_mrr = 0.0
        self._anywhere = parts.anywhere
        tail = {"rare": parts.rare, "new": parts.new}
        self._tail = {name: part for name, part in tail.items() if part.sum() >= ENOUGH_OF_A_PART}
        # What it would cost to lower the items of the other parts is not measured.
        self._kept_up = tail.keys() - self._tail.keys()
        alone = [lists.ranks(lists.alone(view)) <= _K for view in lists.lifts]
        self.single = {
            name: max([float(hits[part].mean()) for hits in alone], default=0.0)
            for name, part in self._tail.items()
        }
        # No mixture can find a target that is not in its shortlist.
        self._within = np.flatnonzero(lists.target >= 0)
        self._lists = lists.take(self._within)
        self._terms = {name: term for name, term in terms(self._lists).items() if term.any()}
        self.names = [name for name in WEIGHTS if name in self._terms]

    def at(self, weights: Weights) -> Point:
        """Measure weights; weights without any effect are set to 0."""
        weights = self._rounded(weights)
        return self._worth(weights, self.names, self._lists.model)

    def around(self, weights: Weights, names: Sequence[str], share: float) -> list[Point]:
        """Measure all of `steps_around`, which differ in `names` only."""
        found = [self._rounded(each) for each in steps_around(weights, names, share)]
        if all(each in self.points for each in found):
            return [self.points[each] for each in found]
        same = self._sum(weights, [name for name in self.names if name not in names], self._lists.model)
        return [self._worth(each, names, same) for each in found]

    def best(self, value: Callable[[Point], float]) -> Point:
        """Return the best point so far."""
        return max(self.points.values(), key=value)

    def climb(self, value: Callable[[Point], float]) -> None:
        """Move from the best point to better neighbouring points until there are none."""
        best = self.best(value)
        for share in (1.0, 0.5):
            improved = True
            while improved:
                improved = False
                for pair in combinations([name for name in self.names if name != LISTED], 2):
                    found = max(self.around(best.weights, pair, share), key=value)
                    if value(found) > value(best):
                        best, improved = found, True

    def _rounded(self, weights: Weights) -> Weights:
        tried = {name: round(weights[name], 3) for name in self.names}
        return Weights(
            **{name: max(value, 0.0) if name in self._kept_up else value for name, value in tried.items()}
        )

    def _worth(self, weights: Weights, names: Sequence[str], scores: np.ndarray) -> Point:
        """Measure weights, given scores to which the terms in `names` have yet to be added."""
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
        ranks = np.full(len(self._anywhere), UNRANKED)
        ranks[self._within] = self._lists.ranks(scores)
        hits = ranks <= _K
        reciprocal = np.where(hits, 1 / ranks, 0)[self._anywhere]
        found = {name: float(hits[part].mean()) for name, part in self._tail.items()}
        times = [
            max(found[name], 0.5 / part.sum()) / max(self.single[name], 1 / part.sum())
            for name, part in self._tail.items()
        ]
        mean = len(times) / sum(1 / each for each in times) if times else 0.0
        over_all = float(hits[self._anywhere].mean()), float(reciprocal.mean())
        return Point(weights, *over_all, found.get("rare"), found.get("new"), mean)


def search(trials: Trials, loss: float, progress: Progress = SILENT) -> list[Point]:
    """Search for good mixtures, and return all points measured on the way.

    Each climb changes two weights at a time as long as its objective improves. The first objective is HIT@20
    times MRR@20 over all; then the share kept of them plus the logarithm of the tail, which counts more and
    more; then the tail among mixtures that lose no more than they may.

    Args:
        trials: mixtures tried on the sample, to which those of this search are added.
        loss: loss allowed over all, see `choose`.
        progress: receives the number of finished climbs.
    """

    def over_all(point: Point) -> float:
        return point.hit * point.mrr

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
    """Return weights with the named ones moved by a share of their steps, or not, in all combinations."""
    ways = [_beside(WEIGHTS[name], weights[name], share) for name in names]
    return [weights.but(**dict(zip(names, each, strict=True))) for each in product(*ways)]


def _beside(weight: Weight, value: float, share: float) -> list[float]:
    lowest = -np.inf if weight.signed else 0.0
    return sorted({max(value + way * share * weight.step, lowest) for way in (-1, 0, 1)})


def terms(lists: Shortlists) -> dict[str, np.ndarray]:
    """Return the term that `neighbours.mixture.Lifts` adds for each weight of 1, float32 [P, S] by name."""
    found = lists.past_terms()
    found["new_session"] = lists.novelty.astype(np.float32)[:, np.newaxis] * found["new"]
    for view, lifted in lists.lifts.items():
        found[view] = lifted
        if (more := VIEWS[view].rare_weight) is not None:
            found[more.name] = lists.rarity * lifted
    return found


def choose(points: Sequence[Point], loss: float) -> Point:
    """Choose the point with the best tail among those that lose next to nothing over all.

    They may lose at most the share `loss` of the best HIT@20, and of the best MRR@20, of all points. Among
    points whose tail is good enough, the one best over all is chosen. If all points lose more, as one measure
    costs the other, the one with the smallest loss is chosen, taking the worse of both measures.

    Args:
        points: the points, at least one.
        loss: allowed loss as a share, 0.01 for 1 %.
    """
    best = max(point.hit for point in points), max(point.mrr for point in points)
    kept = {id(point): point.kept(*best) for point in points}
    enough = [point for point in points if kept[id(point)] >= 1 - loss]
    if not enough:
        return max(points, key=lambda point: kept[id(point)])
    return max(enough, key=lambda p: (min(p.tail, ENOUGH_OF_THE_TAIL), p.hit * p.mrr, p.hit))


def without_idle_views(trials: Trials, chosen: Point) -> Point:
    """Leave out views, the least useful one first, as long as next to nothing is lost without them.

    Args:
        trials: mixtures tried on the sample.
        chosen: the point to start from; what is lost is counted from it.
    """
    least, enough = 1 - EARNED, (1 - EARNED) * min(chosen.tail, ENOUGH_OF_THE_TAIL)

    def kept(point: Point) -> float:
        return point.kept(chosen.hit, chosen.mrr)

    lightest = chosen
    while True:
        lighter = [trials.at(lightest.weights.without(view)) for view in lightest.weights.views()]
        as_good = [point for point in lighter if kept(point) >= least and point.tail >= enough]
        if not as_good:
            return lightest
        lightest = max(as_good, key=kept)


def frontier(points: Sequence[Point]) -> list[Point]:
    """Return the Pareto-optimal points in HIT@20 over all and tail, the best over all first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (-p.hit, -p.tail, -p.mrr)):
        if not best or point.tail > best[-1].tail:
            best.append(point)
    return best
