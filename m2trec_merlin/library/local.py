"""Recommendations in this process: the answers of a Triton server, from the same two steps.

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
from m2trec_merlin.contract.repository import find_repository, require_repository, version_folder
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
from m2trec_merlin.serving.runtime.reading.parsing import RawSession
from m2trec_merlin.serving.runtime.requests import Request
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep, Tensors, answer_by_both

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")

#: Size of the batches that sessions are answered in, as by a server under load.
_SESSIONS_AT_ONCE = 64
#: Size of the batches that items are encoded in.
_ITEMS_AT_ONCE = 4096


def load(path: str | Path) -> LocalRecommender:
    """Open what `m2trec export` wrote.

    Settings of a configuration file that differ from those of the export are reported as Python warnings.

    Args:
        path: the folder of a run or a link to it, its configuration file, or a model repository.

    Raises:
        ArtifactError: there is no export, or its files were altered.
        ConfigError: the file is not a valid configuration.
        MissingDependencyError: ONNX Runtime, or a package that neighbours need, is not installed.
    """
    path = Path(path)
    if path.is_file():
        # Imported late: the import takes longer than loading everything else.
        from m2trec_merlin.config import load_config
        from m2trec_merlin.runs import Run

        run = Run(load_config(path))
        for line in run.not_in_effect():
            warnings.warn(line, stacklevel=2)
        path = require_repository(run.triton)
    return LocalRecommender(find_repository(path))


class LocalRecommender:
    """An exported model in this process. Threads may share it: they take turns.

    Args:
        repository: the model repository; `load` finds the one of a run.

    Raises:
        ArtifactError: files of the repository were altered.
        MissingDependencyError: ONNX Runtime, or a package that the neighbours need, is not installed.
    """

    def __init__(self, repository: Path) -> None:
        self._first = PreprocessStep(version_folder(repository, PREPROCESS))
        self._second = PredictStep(version_folder(repository, PREDICT))
        self._turn = threading.Lock()
        self._search: tuple[ServedCatalogue, ItemSearch] | None = None

    @property
    def version(self) -> Description:
        """Description of the export, such as the attributes that describe items and filter answers."""
        return self._first.reader.version

    @property
    def model(self) -> str:
        """Fingerprint of the export, as in the `about` of answers."""
        return self._second.model

    @property
    def n_items(self) -> int:
        """Number of items in the current version of the catalogue."""
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
            session: items of the session, the latest last: ids, or raw attributes by column. The first item
                with raw attributes takes some seconds, in which NVTabular is imported.
            top_k: number of recommendations; default: that of the export.
            options: options of the request, see `RequestOptions`.

        Raises:
            RefusedError: the request is wrong; names the field.
        """
        return self._answer_one(build_request(session, write_options(top_k, options)))

    def answer(self, session: Sequence[SessionItem], options: Mapping[str, Any]) -> Recommendations:
        """Answer a request whose options come from elsewhere, as JSON; they are checked as by a server.

        Args:
            session: items of the session, as for `recommend`.
            options: options of the request by name; the others have their defaults.

        Raises:
            RefusedError: the request is wrong; names the fields.
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
            sessions: sessions, each as for `recommend`.
            top_k: number of recommendations per session; default: that of the export.
            options: options for all sessions, see `RequestOptions`.

        Returns:
            An answer for each session, in the order of `sessions`.

        Raises:
            RefusedError: a session is wrong; names the session and the field.
        """
        # Written once, since all sessions have the same options.
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
        """Return item vectors: what the item encoder makes of attributes, independent of any session.

        Values that count as missing are reported as Python warnings.

        Args:
            items: ids of the catalogue, or raw attributes by column.

        Returns:
            float32 [n, I], one row per item.

        Raises:
            RefusedError: an item is neither in the catalogue nor described; names it.
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
        """Return the recommendable items most similar to a given one, by cosine of their `encode` vectors.

        Args:
            item: id or raw attributes of the given item, which is not in the answer itself.
            top_k: number of items; default: that of the export.
            exclude: ids that must not be in the answer.
            filters: wanted values by column, as for `recommend`.

        Raises:
            RefusedError: the item is neither in the catalogue nor described, or an option is wrong.
        """
        own = {"exclude": exclude, "exclude_session_items": True, "filters": filters}
        asked = build_request([], write_options(top_k, own))
        with self._turn:
            options = check_options(asked[OPTIONS].item().decode(), self._first.reader.version)
            return self._second.recommender.similar(self._read([item], ["item"], options))

    def search(self, text: str, top_k: int = 20) -> list[CatalogueItem]:
        """Return items whose title has all words of `text`, or whose id begins with it.

        They are ordered as in `ItemSearch.find`; an empty text finds the items that occur most in training.
        The first search takes longer, since it splits all titles into words.

        Raises:
            RefusedError: `text` is not a text, or `top_k` is not a whole number of at least 1.
        """
        with self._turn:
            return self._items().find(text, top_k)

    def describe(self, item_ids: Sequence[str | int]) -> list[CatalogueItem | None]:
        """Return title and values of items; None for each id that the catalogue does not have."""
        with self._turn:
            ids = enumerate(in_order("item_ids", item_ids))
            return self._items().describe([id_text(each, f"item_ids[{place}]") for place, each in ids])

    def values(self, attribute: str) -> dict[str, int]:
        """Return the values of a shown attribute, and how many items have each, the most frequent first.

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
        """Read each item as a session of its own, and join the results; messages name the item's place."""
        said = [id_and_attributes(item, where) for item, where in zip(items, places, strict=True)]
        read = self._first.reader.read([RawSession([item_id], [attributes]) for item_id, attributes in said])
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
        # Each described item was the only one of its session, so all of them are numbered -1 so far.
        rows[rows < NO_ITEM] = -1 - np.arange(len(described))
        new_items = join_items(described or [good[0].new_items])
        return Request(rows, new_items, options, notes, catalogue=good[0].catalogue)


def _built(session: Sequence[SessionItem], place: int) -> Tensors:
    """Return the request for one of many sessions; an error names the session."""
    try:
        return build_request(session)
    except RefusedError as error:
        raise RefusedError(f"sessions[{place}]: {error}") from None


def _retold(error: M2TRecError, message: str) -> ServerError:
    """Return the error with another message; a RefusedError stays one."""
    return (RefusedError if isinstance(error, RefusedError) else ServerError)(message)


def _elsewhere(message: str, where: str) -> str:
    """Return a message about the only item of a session, with its place replaced by `where`."""
    return f"{where}: {message.removeprefix(f'{ITEM_ATTRIBUTES}[0]: ').removeprefix(f'{ITEM_ATTRIBUTES}: ')}"


def _parts(things: Sequence[T], size: int) -> Iterator[tuple[int, Sequence[T]]]:
    """Yield parts of at most `size` things, each with the position at which it starts."""
    for start in range(0, len(things), size):
        yield start, things[start : start + size]
