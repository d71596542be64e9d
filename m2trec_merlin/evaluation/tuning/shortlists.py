"""Shortlists: the items that mixtures of a model and its neighbours could rank first, with all their scores.

A mixture scores every item. Thousands of mixtures are only tried on few items: those among the best of any
view, since no mixture ranks others first.

Shape legend: P prefixes, S places of the longest shortlist, R catalogue rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from m2trec_merlin.arrays import places_in_lists
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.evaluation.outcomes import UNRANKED
from m2trec_merlin.evaluation.ranking import leave_out
from m2trec_merlin.neighbours.mixture import lift, session_novelty
from m2trec_merlin.neighbours.pasts import ItemPasts, past_terms
from m2trec_merlin.neighbours.weights import VIEWS
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Prefixes

#: Number of best items that each view contributes.
BEST = 100

#: Factor for a view's lifts that makes everything else count only among ties.
_ALONE = np.float32(1000)

_BLOCK_SCORES = 1 << 22


@dataclass(frozen=True)
class Shortlists:
    """The items that matter for each prefix, unordered; unused places have model score -inf.

    Attributes:
        model: scores of the model, float32 [P, S].
        lifts: lifts of each view, float32 [P, S] by name; see `neighbours.mixture.lift`.
        rarity: rarity of the items, float32 [P, S]; see `neighbours.pasts.ItemPasts`.
        trend: trend of the items, float32 [P, S], see `neighbours.pasts.trends_of`; 0 if times are unknown.
        listed: which items were listed after training, bool [P, S].
        novelty: novelty of the sessions, float32 [P].
        target: place of the next item, int64 [P]; -1 if it is not in the shortlist.
    """

    model: np.ndarray
    lifts: dict[str, np.ndarray]
    rarity: np.ndarray
    trend: np.ndarray
    listed: np.ndarray
    novelty: np.ndarray
    target: np.ndarray

    @classmethod
    def join(cls, parts: Sequence[Shortlists]) -> Shortlists:
        """Concatenate shortlists of several groups of prefixes, at least one."""
        width = max(part.model.shape[1] for part in parts)

        return cls(
            _stack([part.model for part in parts], width, -np.inf),
            {name: _stack([part.lifts[name] for part in parts], width) for name in parts[0].lifts},
            _stack([part.rarity for part in parts], width),
            _stack([part.trend for part in parts], width),
            _stack([part.listed for part in parts], width),
            np.concatenate([part.novelty for part in parts]),
            np.concatenate([part.target for part in parts]),
        )

    def past_terms(self) -> dict[str, np.ndarray]:
        """Return the terms of the items' pasts at a weight of 1, float32 [P, S] by name."""
        return past_terms(self.rarity, self.trend, self.listed)

    def alone(self, view: str) -> np.ndarray:
        """Return scores by one view, float32 [P, S]; the model breaks ties."""
        return np.where(np.isfinite(self.model), _ALONE * self.lifts[view] + self.model, -np.inf)

    def take(self, prefixes: np.ndarray) -> Shortlists:
        """Return the shortlists of the prefixes at some indices, int64 [n]."""
        lifts = {view: each[prefixes] for view, each in self.lifts.items()}
        rest = (self.rarity, self.trend, self.listed, self.novelty, self.target)
        return Shortlists(self.model[prefixes], lifts, *(each[prefixes] for each in rest))

    def ranks(self, scores: np.ndarray) -> np.ndarray:
        """Return the rank of each next item in its shortlist, int64 [P]; ties count against it.

        Args:
            scores: scores of the items, float32 [P, S].
        """
        own = scores[np.arange(len(scores)), self.target]
        ranks = np.count_nonzero(scores >= own[:, np.newaxis], axis=1)
        return np.where((self.target >= 0) & np.isfinite(own), ranks, UNRANKED)


@dataclass(frozen=True)
class Scorers:
    """The scorers of prefixes: a model, and the views that may be mixed with it.

    Attributes:
        model: the model, whose candidates can be recommended.
        views: the views, by name.
        pasts: pasts of the items.
        most: number of a session's last events that views see.
        exclude_session_items: whether to leave out the session's own items.
        candidates: which items may be recommended, bool [R]; None for all that the model can recommend.
    """

    model: ItemScorer
    views: Mapping[str, ItemScorer]
    pasts: ItemPasts
    most: int
    exclude_session_items: bool = False
    candidates: np.ndarray | None = None


def shortlist(
    prefixes: Prefixes, judges: Scorers, progress: Progress = SILENT, best: int = BEST
) -> Shortlists:
    """Score prefixes by all views, and keep the best items of each view.

    Args:
        prefixes: the prefixes, at least one.
        judges: the scorers.
        progress: receives the number of scored prefixes after each block.
        best: number of items that each view contributes.
    """
    parts = []
    done = 0
    for block in prefixes.blocks(max(1, _BLOCK_SCORES // len(judges.pasts.occurrences))):
        scores = judges.model.score(block)
        leave_out(torch.from_numpy(scores), block, judges.candidates, judges.exclude_session_items)
        shown = block.last(judges.most)
        lifts = {name: lift(view.score(shown)) for name, view in judges.views.items()}
        rarity = judges.pasts.rarity
        novelty = np.array([session_novelty(shown.items(i), rarity) for i in range(len(shown))])
        parts.append(_keep(scores, lifts, judges.pasts, novelty, block.targets, best))
        done += len(block)
        progress.advance("scoring by all views", done, len(prefixes))
    return Shortlists.join(parts)


def _keep(
    scores: np.ndarray,
    lifts: dict[str, np.ndarray],
    pasts: ItemPasts,
    novelty: np.ndarray,
    targets: np.ndarray,
    best: int,
) -> Shortlists:
    """Return the shortlists of a block from the scores of all items, float32 [P, R]."""
    rare_R, trend_R, listed_R = pasts.rarity, pasts.trends, pasts.listed
    together = scores + 2 * rare_R + trend_R
    opinions = [scores - rare_R, together.copy()]
    for name, each in lifts.items():
        opinions.append(scores + _ALONE * each)
        always, rarely = VIEWS[name].guess
        weighted = (always + rarely * rare_R) * each
        opinions.append(scores + weighted)
        together += weighted
    opinions.append(together)
    # The weight of items listed after training is not chosen yet, so the best of them are kept, too.
    if listed_R[1:].any():
        opinions.append(together + _ALONE * listed_R)
    count = min(best, scores.shape[1])
    chosen = np.zeros(scores.shape, bool)
    for opinion in opinions:
        rows = torch.topk(torch.from_numpy(opinion), count, dim=1, sorted=False).indices.numpy()
        np.put_along_axis(chosen, rows, True, axis=1)
    chosen[:, NO_ITEM] = False
    prefix, row = np.nonzero(chosen)
    sizes = chosen.sum(axis=1)
    place = places_in_lists(sizes)
    shape = (len(scores), max(int(sizes.max()), 1))

    def keep(values: np.ndarray, filler: float) -> np.ndarray:
        kept = np.full(shape, filler, np.float32)
        kept[prefix, place] = values
        return kept

    target = np.full(len(scores), -1)
    is_target = row == targets[prefix]
    target[prefix[is_target]] = place[is_target]
    return Shortlists(
        keep(scores[prefix, row], -np.inf),
        {name: keep(each[prefix, row], 0) for name, each in lifts.items()},
        keep(rare_R[row], 0),
        keep(trend_R[row], 0),
        keep(listed_R[row], 0) > 0,
        novelty,
        target,
    )


def _stack(parts: list[np.ndarray], width: int, filler: float = 0) -> np.ndarray:
    padded = [np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=filler) for part in parts]
    return np.concatenate(padded)
