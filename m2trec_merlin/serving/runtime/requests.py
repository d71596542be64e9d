"""The request for one session and its answer, as the two steps of the ensemble hold them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from m2trec_merlin.contract.about import EXPORTED_CATALOGUE, About
from m2trec_merlin.contract.explanation import Explanation
from m2trec_merlin.encoded import EncodedItems

#: For each predicted attribute, the most probable values of the next item and their probabilities.
Categories = dict[str, tuple[list[str], np.ndarray]]


@dataclass(frozen=True)
class Request:
    """One session to recommend for.

    Attributes:
        rows: int64 [at most max_length], the session: a catalogue row, or -1 - i for new item i.
        new_items: encoded attributes of the items outside of the catalogue.
        options: checked options of the request.
        notes: warnings so far.
        request_id: id of the request in the answer.
        catalogue: number of the catalogue version that the rows refer to.
        outside: values to filter by, by id, of candidates that the catalogue does not have; these are the
            last of the new items.
        places: positions of the events in the client's request; empty where no option needs them.
        held: ids of all items of the client's session, including those too long ago for `rows`; empty where
            no option needs them.
        events: encoded attributes of the events; empty if none are given, or the model reads none.
    """

    rows: np.ndarray
    new_items: EncodedItems
    options: dict[str, Any]
    notes: list[str]
    request_id: str = ""
    catalogue: str = EXPORTED_CATALOGUE
    outside: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    events: EncodedItems = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The recommended items of one request, best first.

    Attributes:
        item_ids: ids of the items, at most top_k.
        titles: titles of the items.
        scores: float32, scores of the items.
        categories: for each predicted attribute, the most probable values and their probabilities.
        warnings: what was ignored, and how the answer differs from what was asked for.
        about: which request is answered, with which model and catalogue.
        explanations: explanations of the first items, if they were asked for.
        new_items: number of recommended items without training history.
        is_fallback: whether these are the most frequent items, as the session had no usable item.
    """

    item_ids: list[str]
    titles: list[str]
    scores: np.ndarray
    categories: Categories
    warnings: list[str]
    about: About
    explanations: list[Explanation] = field(default_factory=list)
    new_items: int = 0
    is_fallback: bool = False
