"""What an explanation says is what happens to whoever asks again without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from m2trec_merlin.contract.explanation import Explanation
from m2trec_merlin.serving.client.answers import Recommendations
from m2trec_merlin.serving.runtime.answering.explaining import MOST_EXPLAINED, Counterfactual, explain
from m2trec_merlin.serving.runtime.answering.session_encoding import VectorSession
from tests.serving.runtime.answering.test_recommending import NEW_BREAD, NEW_THING
from tests.serving.runtime.asking import Asking
from tests.serving.runtime.options.test_reranking import raw
from tests.worlds.shop import MAX_LENGTH, N_ITEMS, Shop

#: Attributes by the column that requests give them in.
COLUMNS = {"title": "product_name", "department": "department", "tags": "tags"}
COLUMNS |= {"price": "price", "image": "image"}


@pytest.fixture(scope="module")
def ask(shop: Shop) -> Asking:
    return Asking(shop)


def random_session(chance: np.random.Generator) -> list[Any]:
    def item() -> Any:
        number = int(chance.integers(N_ITEMS))
        return f"sku-{number}" if chance.random() < 0.6 else {**raw(number, ""), "price": 2.0 + number}

    return [item() for _ in range(chance.integers(1, MAX_LENGTH + 1))]


def score_of(answer: Recommendations, item_id: str) -> float:
    return dict(zip(answer.item_ids, answer.scores, strict=True))[item_id]


@pytest.mark.parametrize("seed", range(6))
def test_without_the_event_the_score_falls_by_so_much_and_by_less_without_any_other(
    ask: Asking, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    session = random_session(chance)
    options: dict[str, Any] = {"top_k": 6, "new_item_boost": float(chance.integers(3)), "popularity": 0.5}
    answer = ask(session, explain=True, **options)
    assert len(answer.explanations) == len(answer.item_ids) == 6
    if len(session) == 1:
        assert {(each.event, each.event_fall) for each in answer.explanations} == {(0, None)}
        return
    again = [ask(session[:n] + session[n + 1 :], **{**options, "top_k": 100}) for n in range(len(session))]
    for item_id, score, said in zip(answer.item_ids, answer.scores, answer.explanations, strict=True):
        falls = [score - score_of(without, item_id) for without in again]
        if said.event is None:
            assert max(falls) < 1e-3
            continue
        assert said.event_fall is not None and said.event_fall > 0
        assert falls[said.event] == pytest.approx(said.event_fall, abs=1e-3)
        assert max(falls) <= said.event_fall + 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_without_the_attribute_the_score_falls_by_so_much_and_by_less_without_any_other(
    ask: Asking, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    session = [item for item in random_session(chance) if isinstance(item, dict)] or [NEW_BREAD]
    answer = ask(session, top_k=4, explain=True)
    for item_id, score, said in zip(answer.item_ids, answer.scores, answer.explanations, strict=True):
        if said.event is None or said.attribute is None:
            continue
        falls = {}
        for name, column in COLUMNS.items():
            poorer = {key: value for key, value in session[said.event].items() if key != column}
            without = ask([*session[: said.event], poorer, *session[said.event + 1 :]])
            falls[name] = score - score_of(without, item_id)
        assert falls[said.attribute] == pytest.approx(said.attribute_fall, abs=1e-3)
        assert max(falls.values()) <= falls[said.attribute] + 1e-3
    assert any(said.attribute is not None for said in answer.explanations)


def test_an_event_is_named_by_its_place_in_the_request(ask: Asking) -> None:
    plain = ask(["sku-3", "sku-8"], explain=True)
    shifted = ask(["nope", "sku-3", "", "nothing", "sku-8"], explain=True)
    moved = {0: 1, 1: 4, None: None}
    assert [moved[each.event] for each in plain.explanations] == [e.event for e in shifted.explanations]
    assert {each.event for each in plain.explanations} >= {0, 1}
    long = ask([f"sku-{n}" for n in range(MAX_LENGTH + 4)], explain=True)
    events = {each.event for each in long.explanations if each.event is not None}
    assert events and min(events) >= 4


def test_a_boosted_item_came_by_the_boost(ask: Asking) -> None:
    session = ["sku-3", NEW_THING, "sku-8"]
    answer = ask(session, top_k=3, explain=True, new_item_boost=50, new_items=["sku-27"])
    first, second, _ = answer.explanations
    assert answer.item_ids[0] == "sku-27" and first.by == "boost"
    assert first.falls["boost"] == pytest.approx(50, abs=1e-3) and second.falls["boost"] == 0
    assert second.by != "boost"
    assert {"metadata", "boost"} <= first.falls.keys() and "neighbours" not in first.falls
    assert "boost" not in ask(session, explain=True).explanations[0].falls


def test_only_the_first_items_are_explained_and_only_if_asked(ask: Asking) -> None:
    assert ask(["sku-1"]).explanations == []
    answer = ask(["sku-1", "sku-2"], explain=True)
    assert len(answer.item_ids) == N_ITEMS and len(answer.explanations) == MOST_EXPLAINED
    assert any(warning.startswith("options.explain: explains the first 20") for warning in answer.warnings)
    none = ask(["sku-1", "sku-2"], explain=True, filters={"department": "no such"})
    assert none.item_ids == none.explanations == []


def test_candidates_outside_of_the_catalogue_are_explained(ask: Asking) -> None:
    mine = {"item_id": "mine", **NEW_BREAD}
    answer = ask([NEW_BREAD, "sku-2"], candidates=["sku-5", mine], explain=True)
    place = answer.item_ids.index("mine")
    without = ask(["sku-2"], candidates=[mine])
    alone = ask([NEW_BREAD], candidates=[mine])
    falls = [answer.scores[place] - other.scores[0] for other in (without, alone)]
    said = answer.explanations[place]
    assert said.event == (int(np.argmax(falls)) if max(falls) > 1e-3 else None)


def test_where_nothing_is_known_of_the_session_items_come_by_popularity(ask: Asking) -> None:
    answer = ask(["nope"], top_k=2, explain=True)
    assert answer.explanations == [Explanation(None, None, None, None, "popularity")] * 2


#: Two attributes of one number each; what an item scores is a sum over events.
EVENTS = np.array([[1, 0], [0, 4], [2, 3]], np.float32)
WEIGHTS = np.array([[1, 1], [3, -1]], np.float32)


def summed(variants: Sequence[Counterfactual]) -> np.ndarray:
    given = {"": 10.0, "boost": 7.5}
    sums = [variant.session.vectors.sum(axis=0) @ WEIGHTS.T + given[variant.without] for variant in variants]
    return np.array(sums, np.float32)


def test_the_parts_of_a_sum_are_found() -> None:
    session = VectorSession(np.array([5, 6, 7]), EVENTS)
    first, second = explain(session, np.zeros(2, np.float32), {"a": 1, "b": 1}, ["boost"], summed)
    assert first == Explanation(2, 5.0, "b", 3.0, "metadata", {"metadata": 10.0, "boost": 2.5})
    assert second == Explanation(0, 3.0, "a", 3.0, "boost", {"metadata": 2.0, "boost": 2.5})


def test_what_nothing_speaks_for_has_no_reason() -> None:
    session = VectorSession(np.array([5, 6]), -EVENTS[:2])
    first, _ = explain(session, np.zeros(2, np.float32), {"a": 1, "b": 1}, [], summed)
    assert first == Explanation(None, None, None, None, "popularity", {"metadata": -5.0})


def test_an_only_event_has_no_fall_of_its_own() -> None:
    session = VectorSession(np.array([5]), EVENTS[2:])
    first, _ = explain(session, np.zeros(2, np.float32), {"a": 1, "b": 1}, [], summed)
    assert first == Explanation(0, None, "b", 3.0, "metadata", {"metadata": 5.0})
