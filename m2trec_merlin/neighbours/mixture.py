"""The mixture of a model and its neighbours: views of the next item that lift the model's scores."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from threading import local

import numpy as np

from m2trec_merlin.compiled import compiled
from m2trec_merlin.neighbours.pasts import ItemPasts
from m2trec_merlin.neighbours.views import SessionView, steps_back
from m2trec_merlin.neighbours.weights import VIEWS, Weights
from m2trec_merlin.scores import ItemScorer, Lift
from m2trec_merlin.sessions import Prefixes

#: Scale of lifts: far below it, a score counts as "no neighbour"; chosen on validation (docs/quality.md).
FLOOR = 0.05

#: Mean rarity of a session's items at which the session's novelty is 0: neither for nor against new items.
ORDINARY = 0.2


def lift(scores: np.ndarray) -> np.ndarray:
    """Return log(1 + max(score, 0) / 0.05) of each score, float32: 0 for 0, about 3 for 1."""
    lifted: np.ndarray = np.maximum(scores, 0)
    lifted *= np.float32(1 / FLOOR)
    return np.log1p(lifted, out=lifted)


def session_novelty(session: np.ndarray, rare: np.ndarray) -> np.float32:
    """Return a session's novelty, log((0.05 + m) / (0.05 + 0.2)) for the mean rarity m of its items.

    Args:
        session: catalogue rows, int64 [L]; NO_ITEM is ignored. Without any other row the novelty is 0.
        rare: rarity of each item, float32 [R]; see `ItemPasts.rarity`.
    """
    rows, _ = steps_back(session)
    mean = float(rare[rows].sum()) / len(rows) if len(rows) else ORDINARY
    return np.float32(log((FLOOR + mean) / (FLOOR + ORDINARY)))


class Lifts:
    """The terms that views and the pasts of items add to the scores of a model.

    With lift(score) = log(1 + max(score, 0) / 0.05) and rarity = 5 / (5 + occurrences), they are

        by_id lift(by id) + by_metadata lift(by metadata)
        + (beside + rare_beside rarity) lift(beside) + (content + rare_content rarity) lift(likeness of words)
        + rare rarity + (new + new_session novelty of the session) rarity^3 + trend trend of the item

    For an item that was listed after training, `listed` replaces rare, new and new_session: training could
    not see it sell, so its lack of sales means nothing.

    Neighbours remember single sessions, which a model smooths over. Neither knows much about an item that
    hardly ever sold, but its words do: the rarer the item, the more they count. Most items that never sold
    never will, so places given to them are costly. Sessions of rare items lead to new items much more often,
    and have the least to lose.

    For most items a view says the same after every session; this part is added up once.

    Args:
        views: views of one catalogue by name, as in `VIEWS`; a missing view adds nothing.
        pasts: pasts of the catalogue's items.
        weights: weights of views and pasts.

    Attributes:
        background: the part added after every session, float32 [R].
        newness: the part added times the novelty of the session, float32 [R].
        of_rarity: the part of `background` for rare and newly listed items, float32 [R].
        of_trend: the part of `background` for the trend, float32 [R].
    """

    def __init__(self, views: Mapping[str, SessionView], pasts: ItemPasts, weights: Weights) -> None:
        self._rarity = rare = pasts.rarity
        terms = pasts.terms()
        self.newness: np.ndarray = np.float32(weights["new_session"]) * terms["new"]
        added = {name: np.float32(weights[name]) * term for name, term in terms.items()}
        self.of_trend: np.ndarray = added.pop("trend")
        self.of_rarity: np.ndarray = sum(added.values(), np.zeros_like(rare))
        self._views = [_Changes(view, _weight(name, weights, rare)) for name, view in views.items()]
        self.background = self.of_rarity + self.of_trend
        for view in self._views:
            self.background += view.background * view.weight
        self._sums = _Sums(len(rare))

    def near(self, session: np.ndarray) -> Lift:
        """Return what a session adds in addition to `background`.

        Args:
            session: catalogue rows in order of time, int64 [L]; NO_ITEM for unknown items.
        """
        sums = self._sums
        sums.take()  # clears what an earlier session left behind if one of its views failed
        for view in self._views:
            view.add(sums, session)
        return Lift(session_novelty(session, self._rarity), *sums.take())

    def after(self, session: np.ndarray) -> np.ndarray:
        """Return everything that is added after a session, float32 [R]; see `near`."""
        novelty, rows, changes = self.near(session)
        lifted = self.newness * novelty
        lifted += self.background
        lifted[rows] += changes
        return lifted


class _Sums(local):
    """An accumulator of changes by row, one per thread.

    Args:
        n_rows: R.

    Attributes:
        rows: changed rows, in the first `count` entries, int64 [R + 1].
        changes: their changes, float32 [R + 1].
        count: number of changed rows.
        place_of: 1 + the position of each row among the changed rows, or 0, int32 [R].
    """

    def __init__(self, n_rows: int) -> None:
        self.rows, self.changes = np.empty(n_rows + 1, np.int64), np.empty(n_rows + 1, np.float32)
        self.place_of, self.count = np.zeros(n_rows, np.int32), 0

    def take(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the changed rows, int64 [n], and their changes, float32 [n], and reset all."""
        rows, changes = self.rows[: self.count].copy(), self.changes[: self.count].copy()
        self.place_of[rows], self.count = 0, 0
        return rows, changes


class _Changes:
    """A view's lifts after a session, as differences from the view's background lifts.

    Args:
        view: a view of R rows.
        weight: weight of its lifts, float32 [R], or [1] if it is the same for all rows.

    Attributes:
        background: lifts of the rows that the view says nothing about, float32 [R].
    """

    def __init__(self, view: SessionView, weight: np.ndarray) -> None:
        self.weight = weight
        self._view, self._background_of_groups = view, lift(view.background)
        groups = view.group_of
        self.background = self._background_of_groups if groups is None else self._background_of_groups[groups]
        # The rows of all groups, concatenated, and the offset of each group; empty if each row is a group.
        self._members = self._starts = np.zeros(0, np.int64)
        if groups is not None:
            self._members = np.argsort(groups, kind="stable")
            self._starts = np.searchsorted(groups, np.arange(len(view.background) + 1), sorter=self._members)

    def add(self, sums: _Sums, session: np.ndarray) -> None:
        """Add the weighted changes; the session's own rows get no lift if they are no candidates."""
        groups, scores = self._view.score_near(session)
        changes = lift(scores) - self._background_of_groups[groups]
        own = session[:0] if self._view.repeats else np.unique(session)
        of = sums.rows, sums.changes, sums.place_of, sums.count
        members = self._starts, self._members, self.weight
        sums.count = _add(*of, groups, changes, *members, own, self.background[own])


@compiled
def _add(
    rows: np.ndarray,
    sums: np.ndarray,
    place_of: np.ndarray,
    count: int,
    groups: np.ndarray,
    changes: np.ndarray,
    starts: np.ndarray,
    members: np.ndarray,
    weight: np.ndarray,
    own: np.ndarray,
    own_background: np.ndarray,
) -> int:
    """Add the changes of groups to their rows; from own rows, subtract the background lift instead.

    Random access to memory dominates the cost: one place per row if weights are equal.
    """
    before = np.zeros(len(own), np.float32)
    for place in range(len(own)):
        if place_of[own[place]]:
            before[place] = sums[place_of[own[place]] - 1]
    for place in range(len(groups)):
        group = groups[place]
        for member in range(starts[group], starts[group + 1]) if len(starts) else range(group, group + 1):
            row = members[member] if len(members) else member
            # A branch on "row is new" is mispredicted: each row is written, and kept by counting it if new.
            rows[count], sums[count] = row, 0
            is_new = place_of[row] == 0
            count += is_new
            place_of[row] += is_new * count
            sums[place_of[row] - 1] += changes[place] * weight[row if len(weight) > 1 else 0]
    for place in range(len(own)):
        row = own[place]
        if place_of[row] == 0:
            rows[count] = row
            count += 1
            place_of[row] = count
        sums[place_of[row] - 1] = (
            before[place] - own_background[place] * weight[row if len(weight) > 1 else 0]
        )
    return count


def _weight(name: str, weights: Weights, rare: np.ndarray) -> np.ndarray:
    more = VIEWS[name].rare_weight
    if more is None or not weights[more.name]:
        return np.array([weights[name]], np.float32)
    return np.float32(weights[name]) + np.float32(weights[more.name]) * rare


class Mixture:
    """An `ItemScorer` that adds the lifts of neighbours to the scores of a model.

    Args:
        name: name in reports.
        model: scorer whose candidates can be recommended.
        lifts: the lifts of the neighbours.
        most: number of a session's last events that neighbours see.
    """

    def __init__(self, name: str, model: ItemScorer, lifts: Lifts, most: int) -> None:
        self.name = name
        self.candidates = model.candidates
        self.model, self.lifts, self.most = model, lifts, most

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the mixed scores, float32 [P, R]."""
        scores = self.model.score(prefixes)
        for index, line in enumerate(scores):
            line += self.lifts.after(prefixes.items(index)[-self.most :])
        return scores
