"""Explanations of recommended items, found by leaving out an event, an attribute, or a source of scores.

The session is scored again without each of its events, for the recommended items only. The fall of a score is
what the event was worth: a request without the event would get the lower score.

Shape legend: L events, I item width, A attributes, V variants of a session, K items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from m2trec_merlin.contract.explanation import (
    BOOST,
    METADATA,
    NEIGHBOURS,
    POPULARITY,
    REPEAT,
    TREND,
    Explanation,
)
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.scores import NO_LIFT, Lift
from m2trec_merlin.search.candidates import Wish
from m2trec_merlin.serving.runtime.answering.additions import SessionAdditions
from m2trec_merlin.serving.runtime.answering.session_encoding import QueryEncoder, VectorSession
from m2trec_merlin.serving.runtime.catalogue.served_catalogue import ServedCatalogue
from m2trec_merlin.serving.runtime.options import Draft

#: Number of items at the top of an answer that are explained.
MOST_EXPLAINED = 20
#: Largest difference of scores that may be rounding, which depends on what is computed together.
_ROUNDING = 1e-4
#: Number of variants that are scored together.
_AT_ONCE = 16
#: Rows of an empty session.
_NO_ROWS = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Counterfactual:
    """A variant of a session and its sources of scores.

    Attributes:
        session: the session or a variant of it.
        without: the source of scores that is left out, as named in `Explanation.falls`; "" for none.
    """

    session: VectorSession
    without: str = ""


#: Function from V variants to the scores of the K explained items, float32 [V, K].
Score = Callable[[Sequence[Counterfactual]], np.ndarray]


class Explainer:
    """Explains answers of an export.

    Args:
        encoder: encoder of sessions.
        additions: what sessions add to scores.
        widths: width of each attribute in an item vector, in the vector's order.
    """

    def __init__(self, encoder: QueryEncoder, additions: SessionAdditions, widths: Mapping[str, int]) -> None:
        self._encoder, self._additions, self._widths = encoder, additions, widths

    def explain(
        self,
        catalogue: ServedCatalogue,
        session: VectorSession,
        draft: Draft,
        rows: np.ndarray,
        places: Sequence[int],
    ) -> list[Explanation]:
        """Explain the first of the items recommended for a session.

        Args:
            catalogue: the catalogue that was searched.
            session: the session, with at least one event.
            draft: the search that found the items.
            rows: int64 [m], rows of the items.
            places: positions of the events in the client's request.
        """
        rows = rows[:MOST_EXPLAINED]
        of_past = self._additions.lifts_of_past(catalogue, rows)
        there = {
            NEIGHBOURS: self._additions.neighbours,
            BOOST: BOOST in of_past or BOOST in draft.additions,
            TREND: TREND in of_past,
            REPEAT: self._additions.repeats,
        }
        sources = [source for source, is_there in there.items() if is_there]
        nothing = catalogue.vectors.take(np.array([NO_ITEM]))[0]

        def score(variants: Sequence[Counterfactual]) -> np.ndarray:
            found = []
            for start in range(0, len(variants), _AT_ONCE):
                block = variants[start : start + _AT_ONCE]
                queries = self._encoder.encode([variant.session for variant in block])[0]
                wishes = self._additions.complete(
                    catalogue,
                    [Wish(len(rows), only=rows, additions=draft.without(each.without)) for each in block],
                    [_NO_ROWS if v.without == REPEAT else v.session.rows for v in block],
                    [variant.session.rows for variant in block],
                )
                wishes = [
                    replace(wish, lift=_without(variant.without, wish.lift))
                    for wish, variant in zip(wishes, block, strict=True)
                ]
                found += self._additions.candidates(catalogue).search(queries, wishes)
            scores = np.array([each.scores[_places(rows, each.rows)] for each in found])
            for source, lift in of_past.items():
                scores[[variant.without == source for variant in variants]] -= lift
            return scores

        reasons = explain(session, nothing, self._widths, sources, score) if len(rows) else []
        return [each if each.event is None else replace(each, event=places[each.event]) for each in reasons]


def _without(source: str, lift: Lift) -> Lift:
    """Return a session's lift without a source: the novelty boosts new items, the changes are neighbours'."""
    if source == NEIGHBOURS:
        return NO_LIFT._replace(novelty=lift.novelty)
    return lift._replace(novelty=NO_LIFT.novelty) if source == BOOST else lift


def _places(rows: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return the position of each row in `among`, which holds the same rows in another order."""
    order = np.argsort(among)
    return order[np.searchsorted(among, rows, sorter=order)]


def explain(
    session: VectorSession,
    nothing: np.ndarray,
    widths: Mapping[str, int],
    sources: Sequence[str],
    score: Score,
) -> list[Explanation]:
    """Explain items by the fall of their scores when something is left out.

    Args:
        session: the session that they were recommended for, with at least one event.
        nothing: float32 [I], vector of an item all of whose attributes are missing.
        widths: width of each attribute in an item vector, in the vector's order.
        sources: sources of scores that can be left out, besides metadata.
        score: function that scores the items for variants of the session.
    """
    length = len(session.rows)
    fewer = [Counterfactual(session.without(event)) for event in range(length)] if length > 1 else []
    blank = Counterfactual(replace(session, vectors=np.broadcast_to(nothing, session.vectors.shape)))
    sourceless = [blank, *(Counterfactual(session, source) for source in sources)]
    scores = score([Counterfactual(session), *sourceless, *fewer])
    falls = scores[0] - scores[1:]
    by_source, by_event = falls[: len(sourceless)], falls[len(sourceless) :]
    # Without its only event, a session is empty and cannot be scored for comparison.
    events = by_event.argmax(axis=0) if fewer else np.zeros(scores.shape[1], np.int64)
    event_falls = by_event.max(axis=0) if fewer else np.full(scores.shape[1], np.inf)
    by_attribute = _falls_by_attribute(session, nothing, widths, np.unique(events), score, scores[0])
    return [
        _explanation(
            int(events[item]) if event_falls[item] > _ROUNDING else None,
            float(event_falls[item]) if fewer else None,
            dict(zip(widths, by_attribute[events[item]][:, item].tolist(), strict=True)),
            dict(zip((METADATA, *sources), by_source[:, item].tolist(), strict=True)),
        )
        for item in range(scores.shape[1])
    ]


def _falls_by_attribute(
    session: VectorSession,
    nothing: np.ndarray,
    widths: Mapping[str, int],
    events: np.ndarray,
    score: Score,
    scores: np.ndarray,
) -> dict[int, np.ndarray]:
    """Return for each event the fall of the scores if an attribute of its item is missing, float32 [A, K]."""
    stops = list(accumulate(widths.values()))
    variants = []
    for event in events:
        for stop, width in zip(stops, widths.values(), strict=True):
            vectors = session.vectors.copy()
            vectors[event, stop - width : stop] = nothing[stop - width : stop]
            variants.append(Counterfactual(replace(session, vectors=vectors)))
    fallen = scores - score(variants) if variants else np.zeros((0, len(scores)), np.float32)
    return {int(e): each for e, each in zip(events, np.split(fallen, len(events)), strict=True)}


def _explanation(
    event: int | None, fall: float | None, attributes: Mapping[str, float], sources: dict[str, float]
) -> Explanation:
    attribute = max(attributes, key=attributes.__getitem__, default=None) if event is not None else None
    if attribute is not None and attributes[attribute] <= _ROUNDING:
        attribute = None
    by = max(sources, key=sources.__getitem__)
    return Explanation(
        event,
        fall if event is not None else None,
        attribute,
        attributes[attribute] if attribute is not None else None,
        by if sources[by] > _ROUNDING else POPULARITY,
        sources,
    )
