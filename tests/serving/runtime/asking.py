"""Both steps of an export, asked as clients do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.serving.client.answers import Recommendations, parse_answer
from m2trec_merlin.serving.client.requests import event_attributes_of, id_and_attributes
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep
from tests.worlds.shop import Shop


class Asking:
    """Asks an export, in this process."""

    def __init__(self, shop: Shop) -> None:
        # Nothing of it goes on when the test has ended.
        self._steps = (
            PreprocessStep(shop.preprocess),
            PredictStep(shop.predict),
        )

    def __call__(self, session: Sequence[Any], **options: Any) -> Recommendations:
        """Return the answer.

        Raises:
            M2TRecError: the request is refused.
        """
        items = [id_and_attributes(item) for item in session]
        texts: Mapping[str, list[str]] = {
            "item_ids": [item_id for item_id, _ in items],
            "item_attributes": [attributes for _, attributes in items],
            "options": [json.dumps({"top_k": 100, **options})],
        }
        if any(events := [event_attributes_of(item) for item in session]):
            texts = {**texts, "event_attributes": events}
        arrays = {n: np.array([[t.encode() for t in each]], dtype=object) for n, each in texts.items()}
        tensors: Any = arrays
        for step in self._steps:
            [tensors] = step.answer([tensors])
            if isinstance(tensors, M2TRecError):
                raise tensors
        return parse_answer({name: array[0] for name, array in tensors.items()})
