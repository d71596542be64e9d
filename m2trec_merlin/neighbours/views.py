"""Views: scorers that score few items after a session; the scores of all others are always the same.

Items in one group, such as those of equal metadata or equal words, always have the same score. So there is
little to compute for a session, or when an item is added to the catalogue.

Shape legend: P prefixes, R catalogue rows, K groups, L events of a session, m groups or items.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.compiled import compiled
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.sessions import Prefixes, Sessions


class ViewScores(NamedTuple):
    """A view's scores after a session.

    Attributes:
        groups: the groups whose scores are not the background ones, each once, int64 [m].
        scores: scores of these groups, float32 [m].
    """

    groups: np.ndarray
    scores: np.ndarray


class SessionView(ABC):
    """An `ItemScorer` that scores few items per session.

    Attributes:
        background: scores of the groups that `score_near` does not return, float32 [K].
        group_of: group of each row, int64 [R]; None if each row is a group of its own.
        repeats: whether a session's own items are candidates.
    """

    name: str
    candidates: str
    background: np.ndarray
    group_of: np.ndarray | None
    repeats: bool

    @abstractmethod
    def score_near(self, session: np.ndarray) -> ViewScores:
        """Score the items near a session, given as rows in order of time, int64 [L], NO_ITEM if unknown."""

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the scores of all items, float32 [P, R]."""
        n_rows = len(self.background if self.group_of is None else self.group_of)
        scores = np.empty((len(prefixes), n_rows), np.float32)
        for index, line in enumerate(scores):
            line[:] = self._score(prefixes.items(index))
        return scores

    def _score(self, session: np.ndarray) -> np.ndarray:
        said, groups = self.score_near(session), self.background.copy()
        groups[said.groups] = said.scores
        rows = groups if self.group_of is None else groups.take(self.group_of)
        if not self.repeats:
            rows[session] = -np.inf
        rows[NO_ITEM] = -np.inf
        return rows


@dataclass(frozen=True)
class Weight:
    """The definition of a weight in the mixture with a model.

    Attributes:
        name: its name in the configuration and in files.
        default: its value if no mixture is chosen on validation.
        step: size of its first changes in the search for the best mixture.
        about: a description of what it weighs, for the reference.
        signed: whether it may be negative.
    """

    name: str
    default: float
    step: float
    about: str
    signed: bool = False


class Relisting(NamedTuple):
    """A changed catalogue: the rows of the one that a view was made of, and further ones.

    Attributes:
        origins: each row's row in the view's catalogue, int64 [R]; NO_ITEM for new items.
        live: which rows are items now, bool [R]; no session holds any other row.
        titles: a function that returns the titles of rows, int64 [m].
        titled: a function that returns the rows, int64, that have any of some titles.
    """

    origins: np.ndarray
    live: np.ndarray
    titles: Callable[[np.ndarray], Sequence[str]]
    titled: Callable[[Sequence[str]], np.ndarray]


class MixedView(SessionView):
    """A view that can be part of a mixture, with its weights and its files beside an exported model.

    Attributes:
        weight: the weight of its lifts.
        rare_weight: additional weight of its lifts times the rarity of an item; None for no such weight.
        guess: typical values of `weight` and `rare_weight` in a good mixture.
        settings: constants of the view; if one changes, a mixture has to be chosen again.
    """

    weight: ClassVar[Weight]
    rare_weight: ClassVar[Weight | None] = None
    guess: ClassVar[tuple[float, float]]
    settings: ClassVar[tuple[float, ...]] = ()

    @classmethod
    def is_worth_trying(cls, catalogue: Catalogue) -> bool:
        """Tell whether the view can add anything to the other views of this catalogue."""
        return True

    @classmethod
    @abstractmethod
    def fit(cls, catalogue: Catalogue, sessions: Sessions) -> MixedView | None:
        """Return the view of a catalogue and known sessions; None if it can score nothing."""

    @classmethod
    def write(cls, folder: Path, catalogue: Catalogue, sessions: Sessions) -> None:
        """Write the files that `read` needs, apart from sessions, to a version folder of `m2trec_predict`."""

    @classmethod
    @abstractmethod
    def read(cls, folder: Path, occurrences: np.ndarray, sessions: Sessions) -> MixedView | None:
        """Read the view that an export wrote to a version folder.

        Args:
            folder: version folder of `m2trec_predict`.
            occurrences: occurrences of each exported item in training, int64 [R].
            sessions: known sessions.
        """

    def relisted(self, listing: Relisting) -> SessionView:
        """Return the view for a changed catalogue."""
        return Relisted(self, listing.origins)


class Relisted(SessionView):
    """A view adapted to a changed catalogue: translates rows to those that the view knows.

    Args:
        view: view of the earlier catalogue.
        origins: each row's row in the earlier catalogue, int64 [R]; NO_ITEM for new items.
    """

    def __init__(self, view: SessionView, origins: np.ndarray) -> None:
        self.name, self.candidates = view.name, view.candidates
        self.background, self.repeats = view.background, view.repeats
        self.group_of = origins if view.group_of is None else view.group_of[origins]
        self._view, self._origins = view, origins

    def score_near(self, session: np.ndarray) -> ViewScores:
        """See `SessionView.score_near`."""
        return self._view.score_near(self._origins[session])


@compiled
def steps_back(session: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a session's known items, ascending, and the steps back to each one's last event, int64 [m].

    Args:
        session: catalogue rows in order of time, int64 [L]; the last event is 0 steps back.
    """
    rows, distances = np.empty(len(session), np.int64), np.empty(len(session), np.int64)
    count = 0
    for distance in range(len(session)):
        row = session[len(session) - 1 - distance]
        place = count
        while place > 0 and rows[place - 1] >= row:
            place -= 1
        if row == NO_ITEM or (place < count and rows[place] == row):
            continue
        rows[place + 1 : count + 1] = rows[place:count].copy()
        distances[place + 1 : count + 1] = distances[place:count].copy()
        rows[place], distances[place] = row, distance
        count += 1
    return rows[:count], distances[:count]
