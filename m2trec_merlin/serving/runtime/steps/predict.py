"""The second step as Triton calls it: from the tensors of the first step to recommendations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from m2trec_merlin.contract.about import number_of
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
    """`m2trec_predict`: from catalogue rows, encoded new items and checked options to recommendations.

    Args:
        directory: version folder of the step.
        tally: counts of the process, if needed.
        in_background: whether to look for new catalogue versions in a thread.

    Attributes:
        recommender: the recommender of the exported model.
    """

    name = PREDICT

    def __init__(self, directory: Path, tally: Tally | None = None, in_background: bool = False) -> None:
        self.recommender = Recommender(directory, in_background)
        self.model = self.recommender.model
        tally = tally or Tally()
        self.tally = StepTally(tally, self.name, self.model)
        self._told = ""
        tally.ask(self._tell_catalogue)

    def close(self) -> None:
        """Stop watching the catalogue."""
        self.recommender.catalogues.close()

    def answer(
        self, requests: Sequence[Mapping[str, np.ndarray]], request_ids: Sequence[str] | None = None
    ) -> list[Tensors | M2TRecError]:
        """Answer a batch; a faulty request gets an error and does not affect the others.

        Args:
            requests: tensors of each request, which include its id.
            request_ids: ids of the requests in Triton; ignored, since the first step has read them.
        """
        return answer_good(requests, self._parse, self.recommend)

    def _parse(self, inputs: Mapping[str, np.ndarray]) -> Request:
        tensors = session_tensors(inputs, required=tensors_of(self.recommender.version))
        return receive(tensors, self.recommender.version, self._rows_of)

    def _rows_of(self, catalogue: str) -> int:
        return self.recommender.catalogues.get(catalogue).n_rows

    def _tell_catalogue(self) -> None:
        """Report the catalogue that is in use now, even if there are no requests."""
        name = self.recommender.catalogues.current
        if name != self._told:
            self._told, catalogue = name, self.recommender.catalogues.get(name)
            self.tally.catalogue(f"{self.model}/{number_of(name)}", catalogue.count, catalogue.written)

    def recommend(self, requests: list[Request]) -> list[Tensors | M2TRecError]:
        """Answer requests as `PreprocessStep.read` returns them."""
        answers = self.recommender.recommend(requests)
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
