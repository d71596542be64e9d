"""Scorers that say something of few items after a session, and the same of all others after every session.

Items in one group always have the same score: those of equal metadata, or of equal words. So little has to
be computed for a session, and as little is done once an item more is listed.

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


class Said(NamedTuple):
    """What a view says after a session.

    Attributes:
        groups: int64 [m], each of them once.
        scores: float32 [m], of their items.
    """

    groups: np.ndarray
    scores: np.ndarray


class SessionView(ABC):
    """An `ItemScorer` of few items at a time.

    Attributes:
        usual: float32 [K], scores of the groups of which nothing is said.
        group_of: int64 [R], of each row; None where each row is a group of its own.
        repeats: whether a session's own items are candidates.
    """

    name: str
    candidates: str
    usual: np.ndarray
    group_of: np.ndarray | None
    repeats: bool

    @abstractmethod
    def say(self, session: np.ndarray) -> Said:
        """Score what is near to a session, int64 [L] rows in order of time, NO_ITEM for unknown items."""

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the scores of all items, float32 [P, R]."""
        n_rows = len(self.usual if self.group_of is None else self.group_of)
        scores = np.empty((len(prefixes), n_rows), np.float32)
        for index, line in enumerate(scores):
            line[:] = self._score(prefixes.items(index))
        return scores

    def _score(self, session: np.ndarray) -> np.ndarray:
        said, groups = self.say(session), self.usual.copy()
        groups[said.groups] = said.scores
        rows = groups if self.group_of is None else groups.take(self.group_of)
        if not self.repeats:
            rows[session] = -np.inf
        rows[NO_ITEM] = -np.inf
        return rows


@dataclass(frozen=True)
class Weight:
    """What something may count in a mixture with a model.

    Attributes:
        name: in the configuration and in what is kept.
        default: where nothing is chosen on validation.
        step: by which it is changed at first in the search for the best mixture.
        about: what counts, for the reference.
        signed: whether it may be below 0.
    """

    name: str
    default: float
    step: float
    about: str
    signed: bool = False


class Relisting(NamedTuple):
    """A catalogue that has more items than a view was made of.

    Attributes:
        origins: int64 [R], the row that each row was to the view; NO_ITEM for those that are new.
        titles: of rows, int64 [m].
    """

    origins: np.ndarray
    titles: Callable[[np.ndarray], Sequence[str]]


class MixedView(SessionView):
    """A view that mixtures hold: how it is made, what it counts, and its files beside an exported model.

    Attributes:
        weight: of what it says.
        rare_weight: of what it says of an item without a history, half of it of one of five occurrences; None
            where it counts the same for all.
        guess: about what the two are in a good mixture.
        settings: what the search for a mixture depends on besides.
    """

    weight: ClassVar[Weight]
    rare_weight: ClassVar[Weight | None] = None
    guess: ClassVar[tuple[float, float]]
    settings: ClassVar[tuple[float, ...]] = ()

    @classmethod
    def is_worth_trying(cls, catalogue: Catalogue) -> bool:
        """Tell whether the view can say of this catalogue what no other one says."""
        return True

    @classmethod
    @abstractmethod
    def fit(cls, catalogue: Catalogue, sessions: Sessions) -> MixedView | None:
        """Return the view of a catalogue and of known sessions; None where it has nothing to say."""

    @classmethod
    def write(cls, folder: Path, catalogue: Catalogue, sessions: Sessions) -> None:
        """Write what `read` needs besides the sessions into a version folder of `m2trec_predict`."""

    @classmethod
    @abstractmethod
    def read(cls, folder: Path, occurrences: np.ndarray, sessions: Sessions) -> MixedView | None:
        """Return the view that an export wrote into a version folder.

        Args:
            folder: of a version of `m2trec_predict`.
            occurrences: of each exported item in training, int64 [R].
            sessions: that are known.
        """

    def relisted(self, listing: Relisting) -> SessionView:
        """Return the view of a catalogue with more items."""
        return Relisted(self, listing.origins)


class Relisted(SessionView):
    """A view of a catalogue that has changed: rows of it are what others were to the view.

    Args:
        view: of the catalogue as it was.
        origins: int64 [R], the row that each row was; NO_ITEM for those that are new.
    """

    def __init__(self, view: SessionView, origins: np.ndarray) -> None:
        self.name, self.candidates = view.name, view.candidates
        self.usual, self.repeats = view.usual, view.repeats
        self.group_of = origins if view.group_of is None else view.group_of[origins]
        self._view, self._origins = view, origins

    def say(self, session: np.ndarray) -> Said:
        """See `SessionView.say`."""
        return self._view.say(self._origins[session])


@compiled
def steps_back(session: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the known items of a session, rising, and how many events ago each occurred last, int64 [m].

    Args:
        session: int64 [L], rows in order of time; the last event is 0 steps back.
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
