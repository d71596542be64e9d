"""The data of the page: answers of the library, titles and values of their items, and times."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from m2trec_merlin.errors import RefusedError
from m2trec_merlin.library.item_search import CatalogueItem
from m2trec_merlin.library.local import LocalRecommender
from m2trec_merlin.serving.client.requests import SessionItem
from m2trec_merlin.serving.runtime.options import options_schema
from m2trec_merlin.web.forms import item_schema
from m2trec_merlin.web.messages import messages_of

Json = dict[str, Any]


def about(versions: Mapping[str, LocalRecommender]) -> Json:
    """Return the data that the page is built from: the versions, and forms for options and new items.

    The forms are those of the first version, which is also the one that items are searched in.
    """
    first = next(iter(versions.values())).version
    return {
        "versions": [
            {"name": name, "model": each.model, "items": each.n_items} for name, each in versions.items()
        ],
        "max_length": first.max_length,
        "options": options_schema(first),
        "item": item_schema(first),
    }


def answer(
    versions: Mapping[str, LocalRecommender], session: Sequence[SessionItem], options: Mapping[str, Any]
) -> list[Json]:
    """Return the answer of each version, or why there is none."""
    return [_answer(name, each, session, options) for name, each in versions.items()]


def described(items: Sequence[CatalogueItem | None]) -> list[Json | None]:
    """Return items as JSON."""
    return [None if item is None else asdict(item) for item in items]


def _answer(
    name: str, recommender: LocalRecommender, session: Sequence[SessionItem], options: Mapping[str, Any]
) -> Json:
    started = time.perf_counter()
    try:
        found = recommender.answer(session, options)
    except RefusedError as error:
        return {"version": name, "answer": None, "messages": [asdict(m) for m in messages_of(str(error))]}
    milliseconds = 1000 * (time.perf_counter() - started)
    messages = [asdict(message) for warning in found.warnings for message in messages_of(warning)]
    return {
        "version": name,
        "answer": asdict(found),
        "items": described(recommender.describe(found.item_ids)),
        "messages": messages,
        "milliseconds": milliseconds,
    }
