"""The second step of the ensemble: from a session to recommendations, without torch or Merlin.

Shape legend: B sessions, L longest session, I item width, R catalogue rows.
"""

from __future__ import annotations

import time
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
from m2trec_merlin.serving.contract.identity import export_version, repository_of
from m2trec_merlin.serving.contract.version import (
    CATEGORIES,
    ITEM_GRAPH,
    REPEAT_BIASES,
    SESSION_GRAPH,
    Description,
)
from m2trec_merlin.serving.runtime.candidates import Addition, Found, find_best
from m2trec_merlin.serving.runtime.graphs import open_graph
from m2trec_merlin.serving.runtime.length_groups import group_by_length
from m2trec_merlin.serving.runtime.live_versions import LiveVersions
from m2trec_merlin.serving.runtime.options import Draft, apply_options
from m2trec_merlin.serving.runtime.served_catalogue import ExportedCatalogue, ServedCatalogue
from m2trec_merlin.serving.runtime.similar import SimilarItems

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
        in_background: look in a thread for versions of the catalogue, see `LiveVersions`.

    Attributes:
        version: what was exported.
        catalogues: the items, by version of the catalogue.

    Raises:
        ArtifactError: its files are not what was exported.
        MissingDependencyError: it has neighbours, and what they need is not installed.
    """

    def __init__(self, directory: Path, in_background: bool = True) -> None:
        self.version = Description.open(directory)
        exported = ExportedCatalogue(directory, self.version)
        repository = repository_of(directory)
        self.catalogues = LiveVersions(
            repository, export_version(repository), exported.as_exported(), exported.changed, in_background
        )
        self._categories: dict[str, list[str]] = read_json(directory / CATEGORIES, "export")
        self._sessions = open_graph(directory / SESSION_GRAPH)
        self._item_graph = open_graph(directory / ITEM_GRAPH) if self.version.attributes else None
        self._neighbours = (
            _open_neighbours(directory, self.version.mixture) if self.version.neighbours else None
        )
        self._repeat_biases = np.load(directory / REPEAT_BIASES) if self.version.repeat_biases else None

    @property
    def item_width(self) -> int:
        """I, the numbers of an item's vector."""
        return self.catalogues.get(EXPORTED_CATALOGUE).vectors.width

    def item_vectors(self, request: Request) -> np.ndarray:
        """Return what the model makes of the attributes of a session's items, float32 [L, I]."""
        positions, catalogue = request.positions, self.catalogues.get(request.catalogue)
        vectors = catalogue.vectors.take(np.maximum(positions, NO_ITEM))
        if (new := positions < NO_ITEM).any():
            vectors[new] = self._encode_new([request.new_items])[-1 - positions[new]]
        return vectors

    def similar(self, request: Request) -> SimilarItems:
        """Return the candidates whose vectors are most like that of the one item of a session.

        Of the options those count that say how many items are wanted, and which.
        """
        catalogue = self.catalogues.get(request.catalogue)
        catalogue.come_to(time.time())
        draft = _draft(catalogue, request)
        [vector] = self.item_vectors(request)
        cosines = np.where(catalogue.biases > -np.inf, catalogue.vectors.cosines(vector), -np.inf)
        found = find_best(cosines, draft.wish())
        ids, titles = catalogue.items.ids(found.rows), catalogue.items.titles(found.rows)
        return SimilarItems(ids, titles, found.scores.tolist(), draft.notes)

    def recommend(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer requests together: one pass through the model, one search of all candidates.

        A session without a usable item gets the items most frequent in training, and a warning. Requests that
        mean different versions of the catalogue are answered one version after the other.

        Raises:
            ServerError: a version cannot be opened.
        """
        answers: dict[int, Answer] = {}
        for number in dict.fromkeys(request.catalogue for request in requests):
            catalogue = self.catalogues.get(number)
            catalogue.come_to(time.time())
            own = [place for place, request in enumerate(requests) if request.catalogue == number]
            found = self._recommend(catalogue, [requests[place] for place in own])
            answers.update(zip(own, found, strict=True))
        return [answers[place] for place in range(len(requests))]

    def _recommend(self, catalogue: ServedCatalogue, requests: list[Request]) -> list[Answer]:
        usable = [request for request in requests if len(request.positions)]
        ranked = iter(self._rank(catalogue, usable) if usable else [])
        return [
            next(ranked) if len(request.positions) else self._most_popular(catalogue, request)
            for request in requests
        ]

    def _rank(self, catalogue: ServedCatalogue, requests: list[Request]) -> list[Answer]:
        queries_BD, *probabilities = self._encode(catalogue, requests)
        drafts = [_draft(catalogue, request) for request in requests]
        wishes = [draft.wish() for draft in drafts]
        if self._repeat_biases is not None:
            biases = self._repeat_biases
            wishes = [
                replace(wish, additions=[*wish.additions, repeat_addition(draft.positions, biases)])
                for wish, draft in zip(wishes, drafts, strict=True)
            ]
        if self._neighbours is not None:
            positions = [request.positions for request in requests]
            remixes = self._neighbours.remixes(positions, catalogue.origins)
            wishes = [replace(wish, remix=remix) for wish, remix in zip(wishes, remixes, strict=True)]
        answers = []
        for index, found in enumerate(catalogue.candidates.search(queries_BD, wishes)):
            categories = {
                name: self._top_values(names, values[index])
                for (name, names), values in zip(self._categories.items(), probabilities, strict=True)
            }
            answers.append(self._answer(catalogue, requests[index], drafts[index], found, categories))
        return answers

    def _encode(self, catalogue: ServedCatalogue, requests: list[Request]) -> list[np.ndarray]:
        """What the session graph returns, in the order of the requests."""
        groups = group_by_length([len(request.positions) for request in requests])
        parts = [
            self._sessions.run(None, self._session_inputs(catalogue, [requests[place] for place in group]))
            for group in groups
        ]
        places = np.argsort(np.concatenate(groups))
        return [np.concatenate(outputs)[places] for outputs in zip(*parts, strict=True)]

    def _session_inputs(self, catalogue: ServedCatalogue, requests: list[Request]) -> dict[str, np.ndarray]:
        """Item vectors of the sessions, right-padded [B, L, I], their lengths, and which events count."""
        lengths = np.array([len(request.positions) for request in requests], np.int64)
        padded = np.zeros((len(requests), lengths.max(), catalogue.vectors.width), np.float32)
        counted = np.zeros(padded.shape[:2], dtype=bool)
        new_vectors = self._encode_new([r.new_items for r in requests if (r.positions < NO_ITEM).any()])
        used = 0
        for index, request in enumerate(requests):
            positions, vectors = request.positions, padded[index, : lengths[index]]
            counted[index, : lengths[index]] = most_recent(positions)
            known = positions > NO_ITEM
            vectors[known] = catalogue.vectors.take(positions[known])
            if not known.all():
                vectors[~known] = new_vectors[used - 1 - positions[~known]]
                used -= int(positions.min())
        return {"vectors": padded, "lengths": lengths, "counted": counted}

    def _encode_new(self, groups: list[EncodedItems]) -> np.ndarray:
        if not groups or self._item_graph is None:
            return np.zeros((0, 0), np.float32)
        vectors: np.ndarray = self._item_graph.run(None, to_tensors(join_items(groups)))[0]
        return vectors

    def _most_popular(self, catalogue: ServedCatalogue, request: Request) -> Answer:
        why = "no item of the session could be used: these are the items most frequent in training"
        nothing: Categories = {name: ([], np.zeros(0, np.float32)) for name in self._categories}
        scores = np.where(catalogue.biases > -np.inf, catalogue.items.shares, -np.inf).astype(np.float32)
        draft = _draft(catalogue, request)
        if request.options["popularity"] != 1:
            draft.notes.append("options.popularity: ignored, since popularity is all that is known here")
        draft.notes.append(why)
        answer = self._answer(catalogue, request, draft, find_best(scores, draft.wish()), nothing)
        return replace(answer, is_fallback=True)

    def _answer(
        self,
        catalogue: ServedCatalogue,
        request: Request,
        draft: Draft,
        found: Found,
        categories: Categories,
    ) -> Answer:
        found, notes = draft.settle(found), draft.notes
        if len(found.rows) < draft.k:
            few = f"only {len(found.rows)} items may be recommended; {draft.k} were asked for"
            notes = [*notes, few]
        ids, titles = catalogue.items.ids(found.rows), catalogue.items.titles(found.rows)
        about = About(request.request_id, self.version.model, request.catalogue)
        new = int(np.count_nonzero(catalogue.items.shares[found.rows] == 0))
        return Answer(ids, titles, found.scores, categories, notes, about, new)

    def _top_values(self, names: list[str], probabilities: np.ndarray) -> tuple[list[str], np.ndarray]:
        best = best_rows(probabilities, self.version.top_categories)
        return [names[value] for value in best], probabilities[best]


def _draft(catalogue: ServedCatalogue, request: Request) -> Draft:
    draft = Draft(catalogue.items, request.positions, catalogue.new, list(request.notes), catalogue.biases)
    apply_options(request.options, draft)
    return draft


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
            f"this model was exported with neighbours (serving.neighbours), which need {error.name} in the "
            "server's Python: install m2trec-merlin there, or export without them"
        ) from error
    return ExportedNeighbours(directory, weights)
