"""The second step as Triton calls it: what the first one handed over, to recommendations in tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from m2trec_merlin.contract.metrics import EMPTY, FALLBACKS, RECOMMENDED, RECOMMENDED_NEW
from m2trec_merlin.contract.names import (
    ABOUT,
    EXPLANATIONS,
    PREDICT,
    RECOMMENDED_IDS,
    SCORES,
    TITLES,
    WARNINGS,
    category_tensors,
)
from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.serving.runtime.answering.recommending import Recommender
from m2trec_merlin.serving.runtime.faults import answer_good
from m2trec_merlin.serving.runtime.requests import Answer, Request
from m2trec_merlin.serving.runtime.steps.batches import Tensors, session_tensors
from m2trec_merlin.serving.runtime.steps.handover import as_arrays, receive, tensors_of
from m2trec_merlin.serving.runtime.tally import StepTally, Tally


class PredictStep:
    """`m2trec_predict`: catalogue rows, encoded new items and checked options to recommendations.

    Args:
        directory: a version folder.
        tally: where it counts; nowhere if there is none.
        in_background: look in a thread for versions of the catalogue, as a server does.
    """

    name = PREDICT

    def __init__(self, directory: Path, tally: Tally | None = None, in_background: bool = False) -> None:
        self._recommender = Recommender(directory, in_background)
        self.model = self._recommender.model
        tally = tally or Tally()
        self.tally = StepTally(tally, self.name, self.model)
        self._told = ""
        tally.ask(self._tell_catalogue)

    def close(self) -> None:
        """Watch the catalogue no longer."""
        self._recommender.catalogues.close()

    @property
    def recommender(self) -> Recommender:
        """What it recommends with."""
        return self._recommender

    def answer(
        self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str] | None = None
    ) -> list[Tensors | M2TRecError]:
        """Answer a batch; a faulty request gets its error and spoils no other.

        Args:
            requests: their tensors, which say how the requests are called, too.
            request_ids: as Triton was told them; the first step has read them.
        """
        return answer_good(requests, self._parse, self.recommend)

    def _parse(self, inputs: Mapping[str, np.ndarray]) -> Request:
        tensors = session_tensors(inputs, required=tensors_of(self._recommender.version))
        return receive(tensors, self._recommender.version, self._rows_of)

    def _rows_of(self, catalogue: str) -> int:
        return self._recommender.catalogues.get(catalogue).n_rows

    def _tell_catalogue(self) -> None:
        """Let metrics say which catalogue would answer now, whether anybody asks or not."""
        number = self._recommender.catalogues.current
        if number != self._told:
            self._told, catalogue = number, self._recommender.catalogues.get(number)
            self.tally.catalogue(f"{self.model}/{number}", catalogue.count, catalogue.written)

    def recommend(self, requests: list[Request]) -> list[Tensors | M2TRecError]:
        """Answer what the first step has read; see `PreprocessStep.read`."""
        answers = self._recommender.recommend(requests)
        for metric, amount in (
            (FALLBACKS, sum(answer.is_fallback for answer in answers)),
            (EMPTY, sum(not answer.item_ids for answer in answers)),
            (RECOMMENDED, sum(len(answer.item_ids) for answer in answers)),
            (RECOMMENDED_NEW, sum(answer.new_items for answer in answers)),
        ):
            self.tally.count(metric, amount)
        return [_answer_tensors(answer) for answer in answers]


def _answer_tensors(answer: Answer) -> Tensors:
    arrays = {
        RECOMMENDED_IDS: _bytes(answer.item_ids),
        TITLES: _bytes(answer.titles),
        SCORES: answer.scores,
        WARNINGS: _bytes(answer.warnings),
        ABOUT: _bytes([answer.about.to_json()]),
        EXPLANATIONS: _bytes([each.to_json() for each in answer.explanations]),
    }
    for attribute, (names, probabilities) in answer.categories.items():
        values, shares = category_tensors(attribute)
        arrays[values], arrays[shares] = _bytes(names), probabilities
    return as_arrays(arrays)


def _bytes(texts: list[str]) -> np.ndarray:
    return np.array([text.encode() for text in texts], dtype=object)
