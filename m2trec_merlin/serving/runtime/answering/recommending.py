"""The second step of the ensemble: from a session to recommendations, without torch or Merlin.

Shape legend: B sessions, L longest session, I item width, R catalogue rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from m2trec_merlin.artifacts import read_json
from m2trec_merlin.contract.about import EXPORTED_CATALOGUE, About, number_of
from m2trec_merlin.contract.catalogue import CatalogueVersion
from m2trec_merlin.contract.explanation import POPULARITY, Explanation
from m2trec_merlin.contract.identity import export_version, repository_of
from m2trec_merlin.contract.version import CATEGORIES, SESSION_GRAPH, Description
from m2trec_merlin.encoded import NO_ITEM, EncodedItems, join_items, missing_items, split_items
from m2trec_merlin.search.candidates import Found, find_best
from m2trec_merlin.search.similar import SimilarItems
from m2trec_merlin.serving.runtime.answering.additions import SessionAdditions
from m2trec_merlin.serving.runtime.answering.explaining import MOST_EXPLAINED, Explainer
from m2trec_merlin.serving.runtime.answering.session_encoding import QueryEncoder, VectorSession
from m2trec_merlin.serving.runtime.catalogue.graph import ItemGraph
from m2trec_merlin.serving.runtime.catalogue.live_versions import LiveVersions
from m2trec_merlin.serving.runtime.catalogue.served_catalogue import (
    Clock,
    ExportedCatalogue,
    OpenVersion,
    RowsOfVectors,
    ServedCatalogue,
)
from m2trec_merlin.serving.runtime.options import Draft, apply_options, without_effect
from m2trec_merlin.serving.runtime.options.explaining import Explain
from m2trec_merlin.serving.runtime.requests import Answer, Categories, Request
from m2trec_merlin.shares import counted

_POPULAR = Explanation(None, None, None, None, POPULARITY)


class Recommender:
    """Recommends from all candidates of an exported model.

    Args:
        directory: version folder of `m2trec_predict`.
        in_background: whether to look for new catalogue versions in a thread, see `LiveVersions`.

    Attributes:
        version: description of the export.
        model: fingerprint of the export.
        catalogues: versions of the catalogue.

    Raises:
        ArtifactError: files of the export were altered.
        MissingDependencyError: there are neighbours, but a package that they need is not installed.
    """

    def __init__(self, directory: Path, in_background: bool = False) -> None:
        self.version = Description.open(directory)
        exported = ExportedCatalogue(directory, self.version)
        repository = repository_of(directory)
        self.model = export_version(repository)
        self._additions = SessionAdditions(directory, self.version)

        def opened(folder: Path, version: CatalogueVersion) -> OpenVersion:
            return self._additions.prepared(exported.changed(folder, version))

        first = self._additions.prepared(exported.as_exported())
        self.catalogues = LiveVersions(repository, self.model, first, opened, in_background)
        self._categories: dict[str, list[str]] = read_json(directory / CATEGORIES, "export")
        self._encoder = QueryEncoder(directory / SESSION_GRAPH)
        self._item_graph = ItemGraph(directory) if self.version.attributes else None
        self._clock = Clock()
        self._explainer = Explainer(self._encoder, self._additions, self.version.widths)
        self._additions.rehearse(self.catalogue())

    @property
    def item_width(self) -> int:
        """I, the width of an item vector."""
        return self.catalogues.get(EXPORTED_CATALOGUE).vectors.width

    def item_vectors(self, request: Request) -> np.ndarray:
        """Return the item vectors of a session, float32 [L, I]."""
        [session] = self._sessions(self.catalogues.get(request.catalogue).vectors, [request])
        return session.vectors

    def catalogue(self, name: str | None = None) -> ServedCatalogue:
        """Return a version of the catalogue with the items that are available at this time.

        Args:
            name: name of the version, as `LiveVersions` gives it; default: the one that is served.

        Raises:
            ServerError: the version cannot be opened.
        """
        version = self.catalogues.served()[1] if name is None else self.catalogues.get(name)
        return self._clock.look(version, self.catalogues.of_another_export())

    def similar(self, request: Request) -> SimilarItems:
        """Return the candidates most similar to the only item of a session, by cosine of item vectors.

        Only those options count that say how many items are wanted, and which.
        """
        catalogue = self.catalogue(request.catalogue)
        draft = _draft(catalogue, request)
        [vector] = self.item_vectors(request)
        cosines = np.where(catalogue.biases > -np.inf, catalogue.vectors.cosines(vector), -np.inf)
        found = find_best(cosines, draft.wish())
        ids, titles = catalogue.items.ids(found.rows), catalogue.items.titles(found.rows)
        return SimilarItems(ids, titles, found.scores.tolist(), draft.notes)

    def recommend(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer requests together: one pass through the model, one search of all candidates.

        A session without a usable item gets the items most frequent in training, and a warning. Requests for
        different versions of the catalogue are answered one version after the other.

        Raises:
            ServerError: a version cannot be opened.
        """
        answers: dict[int, Answer] = {}
        for name in dict.fromkeys(request.catalogue for request in requests):
            catalogue = self.catalogue(name)
            own = [place for place, request in enumerate(requests) if request.catalogue == name]
            plain = [place for place in own if not requests[place].outside]
            found = self._recommend(catalogue, [requests[place] for place in plain])
            answers.update(zip(plain, found, strict=True))
            for place in own:
                if requests[place].outside:
                    wider, request = self._with_outside(catalogue, requests[place])
                    answers[place] = self._recommend(wider, [request])[0]
        return [answers[place] for place in range(len(requests))]

    def _recommend(self, catalogue: ServedCatalogue, requests: list[Request]) -> list[Answer]:
        usable = [request for request in requests if len(request.rows)]
        ranked = iter(self._rank(catalogue, usable) if usable else [])
        return [
            next(ranked) if len(request.rows) else self._most_popular(catalogue, request)
            for request in requests
        ]

    def _with_outside(self, catalogue: ServedCatalogue, request: Request) -> tuple[ServedCatalogue, Request]:
        """Return the catalogue with the described candidates of a request added, and the remaining request.

        They are left out if the model cannot recommend items that it was not trained with.
        """
        assert self._item_graph is not None
        last = len(next(iter(request.new_items.values()))) - len(request.outside)
        session, outside = split_items(request.new_items, [last, len(request.outside)])
        _, *candidates = self._item_graph.encode(outside)
        if candidates:
            catalogue = catalogue.with_outside(request.outside, *candidates)
        return catalogue, replace(request, new_items=session, outside={})

    def _rank(self, catalogue: ServedCatalogue, requests: list[Request]) -> list[Answer]:
        sessions = self._sessions(catalogue.vectors, requests)
        queries_BD, *probabilities = self._encoder.encode(sessions)
        drafts = [_draft(catalogue, request) for request in requests]
        rows = [request.rows for request in requests]
        wishes = self._additions.complete(catalogue, [draft.wish() for draft in drafts], rows, rows)
        categories = self._most_probable(probabilities, len(requests))
        answers = []
        for index, found in enumerate(self._additions.candidates(catalogue).search(queries_BD, wishes)):
            request, draft = requests[index], drafts[index]
            found = draft.settle(found)
            answer = self._answer(catalogue, request, draft, found, categories[index])
            if request.options[Explain.name]:
                places = request.places or range(len(request.rows))
                reasons = self._explainer.explain(catalogue, sessions[index], draft, found.rows, places)
                answer = replace(answer, explanations=reasons)
            answers.append(answer)
        return answers

    def _sessions(self, known: RowsOfVectors, requests: list[Request]) -> list[VectorSession]:
        """Return sessions with their item vectors; items outside of the catalogue are encoded in one pass."""
        new_vectors = self._encode_new([r.new_items for r in requests if (r.rows < NO_ITEM).any()])
        sessions, used = [], 0
        for request in requests:
            rows = request.rows
            vectors = known.take(np.maximum(rows, NO_ITEM))
            if (new := rows < NO_ITEM).any():
                vectors[new] = new_vectors[used - 1 - rows[new]]
                used -= int(rows.min())
            events = request.events or missing_items(self.version.event_fields, len(rows))
            sessions.append(VectorSession(rows, vectors, events))
        return sessions

    def _encode_new(self, groups: list[EncodedItems]) -> np.ndarray:
        if not groups or self._item_graph is None:
            return np.zeros((0, 0), np.float32)
        return self._item_graph.encode(join_items(groups))[0]

    def _most_popular(self, catalogue: ServedCatalogue, request: Request) -> Answer:
        why = "no item of the session could be used: these are the items most frequent in training"
        nothing: Categories = {name: ([], np.zeros(0, np.float32)) for name in self._categories}
        scores = np.where(catalogue.biases > -np.inf, catalogue.items.shares, -np.inf).astype(np.float32)
        draft = _draft(catalogue, request)
        draft.notes += [
            f"options.{name}: ignored, since popularity is all that is known here"
            for name in without_effect(request.options, self.version)
        ]
        draft.notes.append(why)
        found = draft.settle(find_best(scores, draft.wish()))
        answer = self._answer(catalogue, request, draft, found, nothing)
        explained = found.rows[:MOST_EXPLAINED] if request.options[Explain.name] else found.rows[:0]
        reasons = [_POPULAR] * len(explained)
        return replace(answer, explanations=reasons, is_fallback=True)

    def _answer(
        self,
        catalogue: ServedCatalogue,
        request: Request,
        draft: Draft,
        found: Found,
        categories: Categories,
    ) -> Answer:
        notes = draft.notes
        if len(found.rows) < draft.k:
            notes.append(
                f"only {counted(len(found.rows), 'item')} may be recommended; {draft.asked} were asked for"
            )
        if request.options[Explain.name] and len(found.rows) > MOST_EXPLAINED:
            notes.append(f"options.{Explain.name}: explains the first {MOST_EXPLAINED} items")
        ids, titles = catalogue.items.ids(found.rows), catalogue.items.titles(found.rows)
        about = About(request.request_id, self.model, number_of(request.catalogue))
        new = int(np.count_nonzero(catalogue.items.shares[found.rows] == 0))
        return Answer(ids, titles, found.scores, categories, notes, about, new_items=new)

    def _most_probable(self, probabilities: Sequence[np.ndarray], n_sessions: int) -> list[Categories]:
        """Return the most probable values for each session.

        Args:
            probabilities: float32 [B, values] for each task.
            n_sessions: B.
        """
        found: list[Categories] = [{} for _ in range(n_sessions)]
        for (name, names), values in zip(self._categories.items(), probabilities, strict=True):
            best = np.argsort(-values, axis=1, kind="stable")[:, : self.version.top_categories]
            for categories, places, own in zip(found, best, values, strict=True):
                categories[name] = [names[place] for place in places.tolist()], own[places]
        return found


def _draft(catalogue: ServedCatalogue, request: Request) -> Draft:
    draft = Draft(
        catalogue.items,
        request.rows,
        request.held,
        catalogue.new,
        list(request.notes),
        catalogue.biases,
    )
    apply_options(request.options, draft)
    return draft
