"""A model and its neighbours together: views of the next item lift its scores."""

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

#: What stands for "no neighbour"; chosen on validation (docs/quality.md).
FLOOR = 0.05

#: Mean rarity of a session's items at which it speaks neither for new items nor against them.
ORDINARY = 0.2


def lift(scores: np.ndarray) -> np.ndarray:
    """Return log(1 + max(score, 0) / 0.05) of each score, float32: 0 of 0, about 3 of 1."""
    lifted: np.ndarray = np.maximum(scores, 0)
    lifted *= np.float32(1 / FLOOR)
    return np.log1p(lifted, out=lifted)


def session_novelty(session: np.ndarray, rare: np.ndarray) -> np.float32:
    """Return the log of 0.05 + the mean rarity of a session's items: 0 where that is 0.2.

    Args:
        session: int64 [L], rows; of NO_ITEM nothing is known, and without any other the novelty is 0.
        rare: float32 [R], see `rarity`.
    """
    rows, _ = steps_back(session)
    mean = float(rare[rows].sum()) / len(rows) if len(rows) else ORDINARY
    return np.float32(log((FLOOR + mean) / (FLOOR + ORDINARY)))


class Lifts:
    """What views add to the scores of a model.

    With lift(score) = log(1 + max(score, 0) / 0.05) and rarity = 5 / (5 + occurrences), that is

        by_id lift(by id) + by_metadata lift(by metadata)
        + (beside + rare_beside rarity) lift(beside) + (content + rare_content rarity) lift(likeness of words)
        + rare rarity + (new + new_session novelty of the session) rarity^3 + trend trend of the item

    Of an item that was listed after training, `listed` stands in the place of rare, new and new_session:
    that training did not see it sell says nothing of it.

    Neighbours remember single sessions, which a model smooths over. Of an item that hardly ever
    sold neither knows much, its words do: the rarer it is, the more they count. Most items that never sold
    never will, so places given to them are dear. Sessions of rare items lead to new ones much more often
    than others, and have least to lose.

    Of most items views say the same after every session, which is added up beforehand.

    Args:
        views: of one catalogue, by their names in `VIEWS`; one that is missing counts nothing.
        pasts: of its items.
        weights: of the views.

    Attributes:
        usual: float32 [R], what is added after every session.
        newness: float32 [R], what is added besides, times the novelty of the session.
        of_rarity: float32 [R], what of the usual is added as an item is rare, or newly listed.
        of_trend: float32 [R], likewise for its trend.
    """

    def __init__(self, views: Mapping[str, SessionView], pasts: ItemPasts, weights: Weights) -> None:
        self._rarity = rare = pasts.rarity
        terms = pasts.terms()
        self.newness: np.ndarray = np.float32(weights["new_session"]) * terms["new"]
        added = {name: np.float32(weights[name]) * term for name, term in terms.items()}
        self.of_trend: np.ndarray = added.pop("trend")
        self.of_rarity: np.ndarray = sum(added.values(), np.zeros_like(rare))
        self._views = [_Changes(view, _weight(name, weights, rare)) for name, view in views.items()]
        self.usual = self.of_rarity + self.of_trend
        for view in self._views:
            self.usual += view.usual * view.weight
        self._sums = _Sums(len(rare))

    def near(self, session: np.ndarray) -> Lift:
        """Return what a session adds beside the usual.

        Args:
            session: int64 [L], rows in order of time; NO_ITEM for unknown items.
        """
        sums = self._sums
        sums.take()  # what a session left behind whose views failed
        for view in self._views:
            view.add(sums, session)
        return Lift(session_novelty(session, self._rarity), *sums.take())

    def after(self, session: np.ndarray) -> np.ndarray:
        """Return all that is added after a session, float32 [R]; see `near`."""
        novelty, rows, changes = self.near(session)
        lifted = self.newness * novelty
        lifted += self.usual
        lifted[rows] += changes
        return lifted


class _Sums(local):
    """Changes of rows, of each thread its own: added up one after the other, taken together.

    Args:
        n_rows: R.

    Attributes:
        rows: int64 [R + 1], the first of which are those that are changed.
        changes: float32 [R + 1], of these.
        count: how many there are.
        place_of: int32 [R], 1 and up, where a row stands among them; 0 where it does not.
    """

    def __init__(self, n_rows: int) -> None:
        self.rows, self.changes = np.empty(n_rows + 1, np.int64), np.empty(n_rows + 1, np.float32)
        self.place_of, self.count = np.zeros(n_rows, np.int32), 0

    def take(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the changed rows, int64 [n], and their changes, float32 [n], and begin anew."""
        rows, changes = self.rows[: self.count].copy(), self.changes[: self.count].copy()
        self.place_of[rows], self.count = 0, 0
        return rows, changes


class _Changes:
    """What a view lifts more or less after a session than always.

    Args:
        view: of R rows.
        weight: of its lifts, float32 [R], or [1] where it is the same for all.

    Attributes:
        usual: float32 [R], what it lifts always.
    """

    def __init__(self, view: SessionView, weight: np.ndarray) -> None:
        self.weight = weight
        self._view, self._usual_of_groups = view, lift(view.usual)
        groups = view.group_of
        self.usual = self._usual_of_groups if groups is None else self._usual_of_groups[groups]
        # Rows, one group behind the other, and where each group begins; empty where groups are rows.
        self._members = self._starts = np.zeros(0, np.int64)
        if groups is not None:
            self._members = np.argsort(groups, kind="stable")
            self._starts = np.searchsorted(groups, np.arange(len(view.usual) + 1), sorter=self._members)

    def add(self, sums: _Sums, session: np.ndarray) -> None:
        """Add the weighted changes; a session's own rows are not lifted if they are none."""
        groups, scores = self._view.say(session)
        changes = lift(scores) - self._usual_of_groups[groups]
        own = session[:0] if self._view.repeats else np.unique(session)
        of = sums.rows, sums.changes, sums.place_of, sums.count
        members = self._starts, self._members, self.weight
        sums.count = _add(*of, groups, changes, *members, own, self.usual[own])


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
    usual_of_own: np.ndarray,
) -> int:
    """Add the changes of groups to their members; of a session's own rows, take away what is usual instead.

    What is looked up far from the last look decides what this costs: one place a row, if weights are equal.
    """
    before = np.zeros(len(own), np.float32)
    for place in range(len(own)):
        if place_of[own[place]]:
            before[place] = sums[place_of[own[place]] - 1]
    for place in range(len(groups)):
        group = groups[place]
        for member in range(starts[group], starts[group + 1]) if len(starts) else range(group, group + 1):
            row = members[member] if len(members) else member
            # What is new cannot be foreseen: a row is written behind those that changed, and stays if it is.
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
        sums[place_of[row] - 1] = before[place] - usual_of_own[place] * weight[row if len(weight) > 1 else 0]
    return count


def _weight(name: str, weights: Weights, rare: np.ndarray) -> np.ndarray:
    more = VIEWS[name].rare_weight
    if more is None or not weights[more.name]:
        return np.array([weights[name]], np.float32)
    return np.float32(weights[name]) + np.float32(weights[more.name]) * rare


class Mixture:
    """A model and its neighbours together: the scores of the one, lifted by the others.

    Args:
        name: in reports.
        model: decides what can be recommended.
        lifts: of the neighbours.
        most: events of a session that neighbours are shown, the last ones.
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
