"""The second step of the ensemble: from a session to recommendations, without torch or Merlin.

Shape legend: B sessions, L longest session, D model width, I item width, N catalogue rows (row 0 is
padding), V values of a predicted attribute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from m2trec_merlin.artifacts import read_json
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.serving.contract.checksums import require_sealed
from m2trec_merlin.serving.encoded_items import EncodedItems, join_items
from m2trec_merlin.serving.runtime.item_table import ItemTable
from m2trec_merlin.serving.runtime.options import Options
from m2trec_merlin.serving.runtime.ranking import add_repeat_biases, best_rows, most_recent

if TYPE_CHECKING:
    from m2trec_merlin.serving.runtime.neighbours import ExportedNeighbours

SETTINGS, ITEMS, CATEGORIES = "settings.json", "items.parquet", "categories.json"
ITEM_GRAPH, SESSION_GRAPH, SCORE_GRAPH = "items.onnx", "sessions.onnx", "scores.onnx"
ITEM_VECTORS, CANDIDATE_VECTORS = "item_vectors.npy", "candidate_vectors.npy"
BIASES, REPEAT_BIASES = "biases.npy", "repeat_biases.npy"


@dataclass(frozen=True)
class Request:
    """One session to recommend for.

    Attributes:
        positions: int64 [at most max_length], a catalogue row, or -1 - i for new item i.
        new_items: encoded attributes of the items outside of the catalogue.
        options: what the client asked for.
        allowed: bool [N], what the filters let pass; None for everything.
        notes: warnings so far.
    """

    positions: np.ndarray
    new_items: EncodedItems
    options: Options
    allowed: np.ndarray | None
    notes: list[str]


@dataclass(frozen=True)
class Answer:
    """What is recommended, best first.

    Attributes:
        item_ids: at most top_k.
        titles: of these items.
        scores: float32, as many.
        categories: per predicted attribute the most probable values and their probabilities.
        warnings: what was ignored, and why the answer is not what was asked for.
    """

    item_ids: list[str]
    titles: list[str]
    scores: np.ndarray
    categories: dict[str, tuple[list[str], np.ndarray]]
    warnings: list[str]


class Recommender:
    """Scores all candidates of an exported model.

    Args:
        directory: a version folder of `m2trec_predict`.

    Raises:
        ArtifactError: its files are not what was exported.
        MissingDependencyError: it has neighbours, and what they need is not installed.
    """

    def __init__(self, directory: Path) -> None:
        require_sealed(directory)
        settings = read_json(directory / SETTINGS)
        self.top_k: int = settings["top_k"]
        self.items = ItemTable.load(directory / ITEMS)
        self._top_categories: int = settings["top_categories"]
        self._categories: dict[str, list[str]] = read_json(directory / CATEGORIES)
        self._sessions = _open_graph(directory / SESSION_GRAPH)
        self._item_graph = _open_graph(directory / ITEM_GRAPH) if settings["new_items"] else None
        # The candidates are inside this graph: ONNX Runtime multiplies several times as fast as NumPy.
        self._scores = _open_graph(directory / SCORE_GRAPH)
        # Mapped, not read: several instances of the model share one copy in memory.
        self._item_vectors = np.asarray(np.load(directory / ITEM_VECTORS, mmap_mode="r"))
        self._is_candidate = np.isfinite(np.load(directory / BIASES))
        self.new_item_boost: float = settings["new_item_boost"]
        self._is_new = self._is_candidate & (self.items.shares == 0)
        self._neighbours = _open_neighbours(directory) if settings["neighbours"] else None
        repeat = directory / REPEAT_BIASES
        self._repeat_biases = np.load(repeat) if repeat.is_file() else None

    def recommend(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer requests together: one pass through the model, one product with all candidates.

        A session without a usable item gets the items most frequent in training, and a warning.
        """
        usable = [request for request in requests if len(request.positions)]
        ranked = iter(self._rank(usable) if usable else [])
        return [
            next(ranked) if len(request.positions) else self._most_popular(request) for request in requests
        ]

    def _rank(self, requests: list[Request]) -> list[Answer]:
        outputs = self._sessions.run(None, self._session_inputs(requests))
        queries_BD, probabilities = outputs[0], outputs[1:]
        scores_BN = self._scores.run(None, {"queries": queries_BD})[0]
        for scores, request in zip(scores_BN, requests, strict=True):
            scores[self._new_items(request.options)] += request.options.new_item_boost
            if self._repeat_biases is not None:
                add_repeat_biases(scores, request.positions, self._repeat_biases)
        if self._neighbours is not None:
            scores_BN = self._neighbours.mix(scores_BN, [request.positions for request in requests])
        answers = []
        for index, request in enumerate(requests):
            categories = {
                name: self._top_values(names, values[index])
                for (name, names), values in zip(self._categories.items(), probabilities, strict=True)
            }
            answers.append(self._answer(request, scores_BN[index], categories, request.notes))
        return answers

    def _session_inputs(self, requests: list[Request]) -> dict[str, np.ndarray]:
        """Item vectors of the sessions, right-padded [B, L, I], their lengths, and which events count."""
        lengths = np.array([len(request.positions) for request in requests], np.int64)
        width = self._item_vectors.shape[1]
        padded = np.zeros((len(requests), lengths.max(), width), np.float32)
        counted = np.zeros(padded.shape[:2], dtype=bool)
        new_vectors = self._encode_new([r.new_items for r in requests if (r.positions < 0).any()])
        used = 0
        for index, request in enumerate(requests):
            positions, vectors = request.positions, padded[index, : lengths[index]]
            counted[index, : lengths[index]] = most_recent(positions)
            known = positions > 0
            vectors[known] = self._item_vectors[positions[known]]
            if not known.all():
                vectors[~known] = new_vectors[used - 1 - positions[~known]]
                used -= int(positions.min())
        return {"vectors": padded, "lengths": lengths, "counted": counted}

    def _encode_new(self, groups: list[EncodedItems]) -> np.ndarray:
        if not groups or self._item_graph is None:
            return np.zeros((0, self._item_vectors.shape[1]), np.float32)
        vectors: np.ndarray = self._item_graph.run(None, join_items(groups))[0]
        return vectors

    def _most_popular(self, request: Request) -> Answer:
        why = "no item of the session could be used: these are the items most frequent in training"
        nothing: dict[str, tuple[list[str], np.ndarray]] = {
            name: ([], np.zeros(0, np.float32)) for name in self._categories
        }
        scores = np.where(self._is_candidate, self.items.shares, -np.inf).astype(np.float32)
        return self._answer(request, scores, nothing, [*request.notes, why])

    def _answer(self, request: Request, scores: np.ndarray, categories: Any, notes: list[str]) -> Answer:
        scores[self._forbidden(request)] = -np.inf
        if request.allowed is not None:
            scores[~request.allowed] = -np.inf
        rows = best_rows(scores, request.options.top_k)
        if len(rows) < request.options.top_k:
            notes = [
                *notes,
                f"only {len(rows)} items may be recommended; {request.options.top_k} were asked for",
            ]
        return Answer(self.items.ids(rows), self.items.titles(rows), scores[rows], categories, notes)

    def _new_items(self, options: Options) -> np.ndarray:
        """Rows without training history, among those that the request calls new."""
        if options.new_items is None:
            return np.flatnonzero(self._is_new)
        rows = np.unique(np.array(self.items.rows_of(options.new_items), np.int64))
        return rows[self._is_new[rows]]

    def _forbidden(self, request: Request) -> list[int]:
        rows = self.items.rows_of(request.options.exclude)
        if request.options.exclude_session_items:
            rows += [int(row) for row in request.positions if row > 0]
        return rows

    def _top_values(self, names: list[str], probabilities: np.ndarray) -> tuple[list[str], np.ndarray]:
        best = best_rows(probabilities, self._top_categories)
        return [names[value] for value in best], probabilities[best]


def _open_neighbours(directory: Path) -> ExportedNeighbours:
    try:
        from m2trec_merlin.serving.runtime.neighbours import ExportedNeighbours
    except ImportError as error:
        raise MissingDependencyError(
            f"this model was exported with neighbours (serving.neighbours), which need {error.name} in the "
            "server's Python: install m2trec-merlin there, or export without them"
        ) from error
    return ExportedNeighbours(directory, directory / ITEMS)


def _open_graph(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # One session is too little work to share among threads; Triton runs instances side by side instead.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
