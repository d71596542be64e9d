"""What one session asks and is answered, as the two steps of the ensemble hold it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from m2trec_merlin.contract.about import EXPORTED_CATALOGUE, About
from m2trec_merlin.contract.explanation import Explanation
from m2trec_merlin.encoded import EncodedItems

#: Per predicted attribute the most probable values of the next item, and their probabilities.
Categories = dict[str, tuple[list[str], np.ndarray]]


@dataclass(frozen=True)
class Request:
    """One session to recommend for.

    Attributes:
        rows: int64 [at most max_length], a catalogue row, or -1 - i for new item i.
        new_items: encoded attributes of the items outside of the catalogue.
        options: what the client asked for, checked.
        notes: warnings so far.
        request_id: what the answer calls it.
        catalogue: version of the items in which rows are meant.
        outside: candidates that the catalogue does not have, the last of the new items: by id, the values by
            which they are filtered.
        places: of the events in the client's request; none if nobody wants to know.
        held: ids of all that the client's session holds, also of what is too long ago for `rows`; none
            if nothing of it is to be left out.
        events: encoded attributes of the events; empty where nothing is said of any, or the model reads none.
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
    """What is recommended, best first.

    Attributes:
        item_ids: at most top_k.
        titles: of these items.
        scores: float32, as many.
        categories: per predicted attribute the most probable values and their probabilities.
        warnings: what was ignored, and why the answer is not what was asked for.
        about: which request is answered, and from what.
        explanations: of the first items, where they were asked for.
        new_items: how many of them have no training history.
        is_fallback: whether they are the most frequent ones, as nothing in the session could be used.
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
