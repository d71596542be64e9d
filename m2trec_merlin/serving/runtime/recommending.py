"""The second step of the ensemble: from a session to recommendations, without torch or Merlin.

Shape legend: B sessions, L longest session, I item width, R catalogue rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from m2trec_merlin.artifacts import read_json
from m2trec_merlin.encoded import NO_ITEM, EncodedItems, join_items, to_tensors
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.histories import most_recent
from m2trec_merlin.scores import best_rows
from m2trec_merlin.serving.contract.about import EXPORTED_CATALOGUE, About
from m2trec_merlin.serving.contract.version import (
    BIASES,
    CATEGORIES,
    ITEM_GRAPH,
    ITEM_VECTORS,
    ITEMS,
    REPEAT_BIASES,
    SESSION_GRAPH,
    Description,
)
from m2trec_merlin.serving.runtime.candidates import Addition, Found, find_best
from m2trec_merlin.serving.runtime.graphs import open_graph
from m2trec_merlin.serving.runtime.indexes import open_index
from m2trec_merlin.serving.runtime.item_table import ItemTable
from m2trec_merlin.serving.runtime.length_groups import group_by_length
from m2trec_merlin.serving.runtime.options import Draft, apply_options

if TYPE_CHECKING:
    from m2trec_merlin.serving.runtime.neighbours import ExportedNeighbours

#: Per predicted attribute the most probable values of the next item, and their probabilities.
Categories = dict[str, tuple[list[str], np.ndarray]]


@dataclass(frozen=True)
class Request:
    """One session to recommend for.

    Attributes:
        positions: int64 [at most max_length], a catalogue row, or -1 - i for new item i.
        new_items: encoded attributes of the items outside of the catalogue.
        options: what the client asked for, checked.
        notes: warnings so far.
        request_id: what the answer calls it.
        catalogue: version of the items in which rows are meant.
    """

    positions: np.ndarray
    new_items: EncodedItems
    options: dict[str, Any]
    notes: list[str]
    request_id: str = ""
    catalogue: str = EXPORTED_CATALOGUE


@dataclass(frozen=True)
class Answer:
    """What is recommended, best first.

    Attributes:
        item_ids: at most top_k.
        titles: of these items.
        scores: float32, as many.
        categories: per predicted attribute the most probable values and their probabilities.
        warnings: what was ignored, and why the answer is not what was asked for.
        about: which request is answered, and from what.
        new_items: how many of them have no training history.
        is_fallback: whether they are the most frequent ones, as nothing in the session could be used.
    """

    item_ids: list[str]
    titles: list[str]
    scores: np.ndarray
    categories: Categories
    warnings: list[str]
    about: About
    new_items: int = 0
    is_fallback: bool = False


class Recommender:
    """Recommends from all candidates of an exported model.

    Args:
        directory: a version folder of `m2trec_predict`.

    Attributes:
        version: what was exported.
        n_rows: rows of its catalogue.

    Raises:
        ArtifactError: its files are not what was exported.
        MissingDependencyError: it has neighbours, and what they need is not installed.
    """

    def __init__(self, directory: Path) -> None:
        self.version = Description.open(directory)
        self._items = ItemTable.load(directory / ITEMS)
        self._categories: dict[str, list[str]] = read_json(directory / CATEGORIES, "export")
        self._sessions = open_graph(directory / SESSION_GRAPH)
        self._item_graph = open_graph(directory / ITEM_GRAPH) if self.version.attributes else None
        # Mapped, not read: several instances of the model share one copy in memory.
        self._item_vectors = np.asarray(np.load(directory / ITEM_VECTORS, mmap_mode="r"))
        self._candidates = open_index(self.version.index, directory)
        self._biases = np.load(directory / BIASES)
        self._is_candidate = np.isfinite(self._biases)
        self._new = np.flatnonzero(self._is_candidate & (self._items.shares == 0))
        self._neighbours = (
            _open_neighbours(directory, self.version.mixture) if self.version.neighbours else None
        )
        self.n_rows = len(self._is_candidate)
        self._repeat_biases = np.load(directory / REPEAT_BIASES) if self.version.repeat_biases else None

    def recommend(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer requests together: one pass through the model, one search of all candidates.

        A session without a usable item gets the items most frequent in training, and a warning.
        """
        usable = [request for request in requests if len(request.positions)]
        ranked = iter(self._rank(usable) if usable else [])
        return [
            next(ranked) if len(request.positions) else self._most_popular(request) for request in requests
        ]

    def _rank(self, requests: list[Request]) -> list[Answer]:
        queries_BD, *probabilities = self._encode(requests)
        drafts = [self._draft(request) for request in requests]
        wishes = [draft.wish() for draft in drafts]
        if self._repeat_biases is not None:
            biases = self._repeat_biases
            wishes = [
                replace(wish, additions=[*wish.additions, repeat_addition(draft.positions, biases)])
                for wish, draft in zip(wishes, drafts, strict=True)
            ]
        if self._neighbours is not None:
            remixes = self._neighbours.remixes([request.positions for request in requests])
            wishes = [replace(wish, remix=remix) for wish, remix in zip(wishes, remixes, strict=True)]
        answers = []
        for index, found in enumerate(self._candidates.search(queries_BD, wishes)):
            categories = {
                name: self._top_values(names, values[index])
                for (name, names), values in zip(self._categories.items(), probabilities, strict=True)
            }
            answers.append(self._answer(requests[index], drafts[index], found, categories))
        return answers

    def _encode(self, requests: list[Request]) -> list[np.ndarray]:
        """What the session graph returns, in the order of the requests."""
        groups = group_by_length([len(request.positions) for request in requests])
        parts = [
            self._sessions.run(None, self._session_inputs([requests[place] for place in group]))
            for group in groups
        ]
        places = np.argsort(np.concatenate(groups))
        return [np.concatenate(outputs)[places] for outputs in zip(*parts, strict=True)]

    def _draft(self, request: Request) -> Draft:
        draft = Draft(self._items, request.positions, self._new, list(request.notes), self._biases)
        apply_options(request.options, draft)
        return draft

    def _session_inputs(self, requests: list[Request]) -> dict[str, np.ndarray]:
        """Item vectors of the sessions, right-padded [B, L, I], their lengths, and which events count."""
        lengths = np.array([len(request.positions) for request in requests], np.int64)
        width = self._item_vectors.shape[1]
        padded = np.zeros((len(requests), lengths.max(), width), np.float32)
        counted = np.zeros(padded.shape[:2], dtype=bool)
        new_vectors = self._encode_new([r.new_items for r in requests if (r.positions < NO_ITEM).any()])
        used = 0
        for index, request in enumerate(requests):
            positions, vectors = request.positions, padded[index, : lengths[index]]
            counted[index, : lengths[index]] = most_recent(positions)
            known = positions > NO_ITEM
            vectors[known] = self._item_vectors[positions[known]]
            if not known.all():
                vectors[~known] = new_vectors[used - 1 - positions[~known]]
                used -= int(positions.min())
        return {"vectors": padded, "lengths": lengths, "counted": counted}

    def _encode_new(self, groups: list[EncodedItems]) -> np.ndarray:
        if not groups or self._item_graph is None:
            return np.zeros((0, self._item_vectors.shape[1]), np.float32)
        vectors: np.ndarray = self._item_graph.run(None, to_tensors(join_items(groups)))[0]
        return vectors

    def _most_popular(self, request: Request) -> Answer:
        why = "no item of the session could be used: these are the items most frequent in training"
        nothing: Categories = {name: ([], np.zeros(0, np.float32)) for name in self._categories}
        scores = np.where(self._is_candidate, self._items.shares, -np.inf).astype(np.float32)
        draft = self._draft(request)
        if request.options["popularity"] != 1:
            draft.notes.append("options.popularity: ignored, since popularity is all that is known here")
        draft.notes.append(why)
        answer = self._answer(request, draft, find_best(scores, draft.wish()), nothing)
        return replace(answer, is_fallback=True)

    def _answer(self, request: Request, draft: Draft, found: Found, categories: Categories) -> Answer:
        found, notes = draft.settle(found), draft.notes
        if len(found.rows) < draft.k:
            few = f"only {len(found.rows)} items may be recommended; {draft.k} were asked for"
            notes = [*notes, few]
        ids, titles = self._items.ids(found.rows), self._items.titles(found.rows)
        about = About(request.request_id, self.version.model, request.catalogue)
        new = int(np.count_nonzero(self._items.shares[found.rows] == 0))
        return Answer(ids, titles, found.scores, categories, notes, about, new)

    def _top_values(self, names: list[str], probabilities: np.ndarray) -> tuple[list[str], np.ndarray]:
        best = best_rows(probabilities, self.version.top_categories)
        return [names[value] for value in best], probabilities[best]


def repeat_addition(positions: np.ndarray, biases: np.ndarray) -> Addition:
    """Return what is added to the scores of items that stand in the session.

    Args:
        positions: int64 [L], the session: catalogue rows, or negative for items outside of the catalogue.
        biases: float32 [max_length], by distance from the end of the session: entry 0 is the last event.
            An item that occurs more than once gets the bias of its most recent occurrence.
    """
    places = np.flatnonzero(most_recent(positions) & (positions > NO_ITEM))
    return positions[places], biases[len(positions) - 1 - places]


def _open_neighbours(directory: Path, weights: Mapping[str, float]) -> ExportedNeighbours:
    try:
        from m2trec_merlin.serving.runtime.neighbours import ExportedNeighbours
    except ImportError as error:
        raise MissingDependencyError(
            f"this model was exported with neighbours (serving.mixture), which need {error.name} in the "
            "server's Python: install m2trec-merlin there, or export without them"
        ) from error
    return ExportedNeighbours(directory, weights)
