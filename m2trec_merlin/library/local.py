"""Recommendations in this process: what a Triton would answer, from the same two steps.

Shape legend: n items, I item width.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from m2trec_merlin.contract.names import ITEM_ATTRIBUTES, OPTIONS, PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import find_repository, version_folder
from m2trec_merlin.contract.version import Description
from m2trec_merlin.encoded import NO_ITEM, join_items
from m2trec_merlin.errors import M2TRecError, RefusedError, ServerError
from m2trec_merlin.library.item_search import CatalogueItem, ItemSearch
from m2trec_merlin.search.similar import SimilarItems
from m2trec_merlin.serving.client.answers import Recommendations, parse_answer
from m2trec_merlin.serving.client.options import RequestOptions, write_options
from m2trec_merlin.serving.client.requests import (
    SessionItem,
    build_request,
    id_and_attributes,
    id_text,
    in_order,
)
from m2trec_merlin.serving.runtime.catalogue.served_catalogue import ServedCatalogue
from m2trec_merlin.serving.runtime.notes import show
from m2trec_merlin.serving.runtime.options import check_options
from m2trec_merlin.serving.runtime.reading.parsing import SaidSession
from m2trec_merlin.serving.runtime.requests import Request
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep, Tensors, answer_by_both

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")

#: Sessions that are answered together, as the server does under load.
_SESSIONS_AT_ONCE = 64
#: Items that are encoded together.
_ITEMS_AT_ONCE = 4096


def load(path: str | Path) -> LocalRecommender:
    """Open what `m2trec export` wrote.

    Args:
        path: folder of a run or a link to it, its configuration file, or the model repository alone.

    Raises:
        ArtifactError: there is no export, or its files are not what was exported.
        ConfigError: the file is no configuration.
        MissingDependencyError: ONNX Runtime is not installed, or what its neighbours need.
    """
    path = Path(path)
    if path.is_file():
        # Takes longer to import than the rest to load.
        from m2trec_merlin.config import load_config
        from m2trec_merlin.runs import Run

        path = Run(load_config(path)).triton
    return LocalRecommender(find_repository(path))


class LocalRecommender:
    """An exported model in this process. Threads may share it: they take turns.

    Args:
        repository: the model repository; `load` finds that of a run.

    Raises:
        ArtifactError: its files are not what was exported.
        MissingDependencyError: ONNX Runtime is not installed, or what its neighbours need.
    """

    def __init__(self, repository: Path) -> None:
        self._first = PreprocessStep(version_folder(repository, PREPROCESS))
        self._second = PredictStep(version_folder(repository, PREDICT))
        self._turn = threading.Lock()
        self._search: tuple[ServedCatalogue, ItemSearch] | None = None

    @property
    def version(self) -> Description:
        """What was exported: by which attributes items are described, and answers filtered."""
        return self._first.reader.version

    @property
    def model(self) -> str:
        """Fingerprint of the export, as in `about` of answers."""
        return self._second.model

    @property
    def n_items(self) -> int:
        """Items of the catalogue as it is now."""
        with self._turn:
            return self._second.recommender.catalogues.served()[1].count

    def recommend(
        self,
        session: Sequence[SessionItem],
        top_k: int | None = None,
        **options: Unpack[RequestOptions],
    ) -> Recommendations:
        """Recommend items for a session, as `RecommendationClient.recommend` does.

        Args:
            session: its items, the latest last: ids, or raw attributes by column. The first item with raw
                attributes takes some seconds, in which NVTabular is imported.
            top_k: recommendations wanted; default: as exported.
            options: see `RequestOptions`.

        Raises:
            RefusedError: the request is wrong; says which field.
        """
        return self._answer_one(build_request(session, write_options(top_k, options)))

    def answer(self, session: Sequence[SessionItem], options: Mapping[str, Any]) -> Recommendations:
        """Answer what somebody else asks: options by name, as JSON has them, are checked as a server does.

        Args:
            session: as `recommend` takes it.
            options: those of a request; others have their defaults.

        Raises:
            RefusedError: the request is wrong; says which fields.
        """
        return self._answer_one(build_request(session, options))

    def recommend_many(
        self,
        sessions: Sequence[Sequence[SessionItem]],
        top_k: int | None = None,
        **options: Unpack[RequestOptions],
    ) -> list[Recommendations]:
        """Recommend items for many sessions, in batches: at least twice as fast as one by one.

        Args:
            sessions: each as `recommend` takes it.
            top_k: as of `recommend`, for all sessions alike, and so are the others.
            options: see there.

        Returns:
            An answer for each session, in their order.

        Raises:
            RefusedError: a session is wrong; says which one, and which field.
        """
        # Written once: every session is asked with them.
        said = build_request([], write_options(top_k, options))[OPTIONS]
        answers: list[Recommendations] = []
        for start, some in _parts(in_order("sessions", sessions), _SESSIONS_AT_ONCE):
            requests = [{**_built(session, start + n), OPTIONS: said} for n, session in enumerate(some)]
            for place, answer in enumerate(self._answer(requests), start):
                if isinstance(answer, M2TRecError):
                    raise _retold(answer, f"sessions[{place}]: {answer}")
                answers.append(answer)
        return answers

    def encode(self, items: Sequence[SessionItem]) -> np.ndarray:
        """Return item vectors: what the model makes of attributes, before it looks at sessions.

        Values that count as missing are told as warnings.

        Args:
            items: ids of the catalogue, or raw attributes by column.

        Returns:
            float32 [n, I], a line an item.

        Raises:
            RefusedError: an item is neither in the catalogue nor described; says which one.
        """
        parts = [np.zeros((0, self._second.recommender.item_width), np.float32)]
        with self._turn:
            for start, some in _parts(in_order("items", items), _ITEMS_AT_ONCE):
                request = self._read(some, [f"items[{start + place}]" for place in range(len(some))], {})
                for note in request.notes:
                    warnings.warn(note, stacklevel=2)
                parts.append(self._second.recommender.item_vectors(request))
        return np.concatenate(parts)

    def similar(
        self,
        item: SessionItem,
        top_k: int | None = None,
        exclude: Sequence[str | int] = (),
        filters: Mapping[str, Any] | None = None,
    ) -> SimilarItems:
        """Return those items that can be recommended which are most like one: by cosines of `encode`.

        Args:
            item: its id, or raw attributes by column; the item itself is none of the answer.
            top_k: items wanted; default: as exported.
            exclude: ids that must not be in the answer.
            filters: wanted values by column, as `recommend` takes them.

        Raises:
            RefusedError: the item is neither in the catalogue nor described, or an option is wrong.
        """
        own = {"exclude": exclude, "exclude_session_items": True, "filters": filters}
        asked = build_request([], write_options(top_k, own))
        with self._turn:
            options = check_options(asked[OPTIONS].item().decode(), self._first.reader.version)
            return self._second.recommender.similar(self._read([item], ["item"], options))

    def search(self, text: str, top_k: int = 20) -> list[CatalogueItem]:
        """Return the items that have all words of a text, in their title or as the beginning of their id.

        The first search takes as long as splitting all titles into words. Whole words come first, then
        what occurs most in training; the items that occur most are the answer to no words.

        Raises:
            RefusedError: `text` is none, or `top_k` is no whole number from 1.
        """
        with self._turn:
            return self._items().find(text, top_k)

    def describe(self, item_ids: Sequence[str | int]) -> list[CatalogueItem | None]:
        """Return title and values of items; None for each that the catalogue does not have."""
        with self._turn:
            ids = enumerate(in_order("item_ids", item_ids))
            return self._items().describe([id_text(each, f"item_ids[{place}]") for place, each in ids])

    def values(self, attribute: str) -> dict[str, int]:
        """Return the values of an attribute that people read, by falling number of items, and these numbers.

        Raises:
            RefusedError: there is no such attribute.
        """
        with self._turn:
            return self._items().values(attribute)

    def _items(self) -> ItemSearch:
        catalogue = self._second.recommender.catalogue()
        if self._search is None or self._search[0] is not catalogue:
            self._search = catalogue, ItemSearch(catalogue, list(self.version.filters))
        return self._search[1]

    def _answer_one(self, request: Tensors) -> Recommendations:
        [answer] = self._answer([request])
        if isinstance(answer, M2TRecError):
            raise answer
        return answer

    def _answer(self, requests: list[Tensors]) -> list[Recommendations | M2TRecError]:
        with self._turn:
            both = answer_by_both(self._first, self._second, requests)
        return [
            parse_answer({name: array[0] for name, array in each.items()}) if isinstance(each, dict) else each
            for each in both
        ]

    def _read(self, items: Sequence[SessionItem], places: Sequence[str], options: dict[str, Any]) -> Request:
        """Read each item as a session of its own, and put them together; messages name its place."""
        said = [id_and_attributes(item, where) for item, where in zip(items, places, strict=True)]
        read = self._first.reader.read([SaidSession([item_id], [attributes]) for item_id, attributes in said])
        good, notes = [], []
        for where, each, (item_id, _) in zip(places, read, said, strict=True):
            if isinstance(each, M2TRecError):
                raise _retold(each, _elsewhere(str(each), where))
            if not len(each.rows):
                nothing = "and no attributes of it are given"
                raise RefusedError(f"{where}: the catalogue has no item {show(item_id)}, {nothing}")
            notes += [_elsewhere(note, where) for note in each.notes]
            good.append(each)
        rows = np.concatenate([each.rows for each in good])
        described = [each.new_items for each in good if each.raw_items]
        # In a session of its own, each of them is number -1.
        rows[rows < NO_ITEM] = -1 - np.arange(len(described))
        new_items = join_items(described or [good[0].new_items])
        return Request(rows, new_items, options, notes, catalogue=good[0].catalogue)


def _built(session: Sequence[SessionItem], place: int) -> Tensors:
    """Return the request of one of many sessions; an error names it."""
    try:
        return build_request(session)
    except RefusedError as error:
        raise RefusedError(f"sessions[{place}]: {error}") from None


def _retold(error: M2TRecError, message: str) -> ServerError:
    """Return the error with another message: a fault of the request stays one."""
    return (RefusedError if isinstance(error, RefusedError) else ServerError)(message)


def _elsewhere(message: str, where: str) -> str:
    """Return a message about the only item of a session, with another place in front."""
    return f"{where}: {message.removeprefix(f'{ITEM_ATTRIBUTES}[0]: ').removeprefix(f'{ITEM_ATTRIBUTES}: ')}"


def _parts(things: Sequence[T], size: int) -> Iterator[tuple[int, Sequence[T]]]:
    """Cut into parts of at most `size`, each with the place where it starts."""
    for start in range(0, len(things), size):
        yield start, things[start : start + size]
