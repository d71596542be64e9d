"""What a session adds to the scores of a model: a bias of items that it holds, and its neighbours' scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from m2trec_merlin.contract.version import CANDIDATE_VECTORS, REPEAT_BIASES, Description
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.histories import most_recent
from m2trec_merlin.search.candidates import Addition, Base, Candidates, Wish
from m2trec_merlin.serving.runtime.catalogue.served_catalogue import OpenVersion, ServedCatalogue

if TYPE_CHECKING:
    from m2trec_merlin.serving.runtime.answering.neighbours import ExportedNeighbours


class SessionAdditions:
    """The repeat biases and neighbours of an export, as far as it has them.

    Args:
        directory: version folder of `m2trec_predict`.
        version: description of the export.

    Attributes:
        repeats: whether items of the session have a bias.
        neighbours: whether there are neighbours.

    Raises:
        MissingDependencyError: there are neighbours, but a package that they need is not installed.
    """

    def __init__(self, directory: Path, version: Description) -> None:
        self._biases = np.load(directory / REPEAT_BIASES) if version.repeat_biases else None
        self._neighbours = _open_neighbours(directory, version.mixture) if version.neighbours else None
        self.repeats, self.neighbours = version.repeat_biases, version.neighbours
        self._candidates: WeakKeyDictionary[ServedCatalogue, Candidates] = WeakKeyDictionary()
        self._width: int = np.load(directory / CANDIDATE_VECTORS, mmap_mode="r").shape[1]

    def prepared(self, version: OpenVersion) -> OpenVersion:
        """Prepare neighbours for a version of the catalogue before requests need it; return the version."""
        if self._neighbours is not None:
            self._neighbours.prepare(version.listing)
        return version

    def rehearse(self, catalogue: ServedCatalogue) -> None:
        """Search once in each way, so that the code is compiled before the first request."""
        if self._neighbours is not None:
            query, all_rows = np.zeros((1, self._width), np.float32), np.ones(len(catalogue.biases), bool)
            for wish in (Wish(1), Wish(1, allowed=all_rows)):
                self.candidates(catalogue).search(query, [wish])

    def candidates(self, catalogue: ServedCatalogue) -> Candidates:
        """Return the candidates of a catalogue, to be searched with wishes that `complete` returned."""
        if catalogue not in self._candidates:
            base = Base(catalogue.biases) if self._neighbours is None else self._neighbours.base(catalogue)
            self._candidates[catalogue] = catalogue.exported.changed(base, catalogue.more)
        return self._candidates[catalogue]

    def complete(
        self,
        catalogue: ServedCatalogue,
        wishes: Sequence[Wish],
        repeated: Sequence[np.ndarray],
        near: Sequence[np.ndarray],
    ) -> list[Wish]:
        """Return wishes with the additions of their sessions.

        Args:
            catalogue: the catalogue that is searched.
            wishes: one wish per session, as its options made it.
            repeated: int64 [L] per session, rows that get a repeat bias.
            near: int64 [L] per session, rows whose neighbours are looked up.
        """
        wishes = list(wishes)
        if self._biases is not None:
            biases = self._biases
            wishes = [
                replace(wish, additions=[*wish.additions, repeat_addition(rows, biases)])
                for wish, rows in zip(wishes, repeated, strict=True)
            ]
        if self._neighbours is not None:
            distinct = {rows.tobytes(): rows for rows in near}
            lifts = {key: self._neighbours.lift(each, catalogue) for key, each in distinct.items()}
            wishes = [
                replace(wish, lift=lifts[each.tobytes()]) for wish, each in zip(wishes, near, strict=True)
            ]
        return wishes

    def lifts_of_past(self, catalogue: ServedCatalogue, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return additions to scores of rows that do not depend on the session, float32 [m], by source."""
        if self._neighbours is None:
            return {}
        return self._neighbours.lifts_of_past(rows, catalogue)


def repeat_addition(rows: np.ndarray, biases: np.ndarray) -> Addition:
    """Return what is added to the scores of items that are in the session.

    Args:
        rows: int64 [L], the session: catalogue rows, or negative for items outside of the catalogue.
        biases: float32 [max_length], by distance from the end of the session; entry 0 is for the last event.
            An item that occurs more than once gets the bias of its most recent occurrence.
    """
    places = np.flatnonzero(most_recent(rows) & (rows > NO_ITEM))
    return rows[places], biases[len(rows) - 1 - places]


def _open_neighbours(directory: Path, weights: Mapping[str, float]) -> ExportedNeighbours:
    try:
        from m2trec_merlin.serving.runtime.answering.neighbours import ExportedNeighbours
    except ImportError as error:
        raise MissingDependencyError(
            f"this model was exported with neighbours (serving.mixture), which need {error.name} in the "
            "server's Python: install m2trec-merlin there, or export without them"
        ) from error
    return ExportedNeighbours(directory, weights)
