"""The option `candidates`: nothing but a list is recommended, in the best order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.export.run import export
from tests.serving.runtime.answering.test_recommending import NEW_BREAD, NEW_THING
from tests.serving.runtime.asking import Asking
from tests.worlds.shop import N_ITEMS, Shop, build_shop, raw_items

#: Without a category of which there would be a note.
BREAD, THING = {**NEW_BREAD, "tags": "local"}, {**NEW_THING, "department": "dairy"}
SESSION = ["sku-3", THING, "sku-8"]


@pytest.fixture(scope="module")
def ask(shop: Shop) -> Asking:
    return Asking(shop)


def raw(number: int, item_id: str) -> dict[str, Any]:
    """The attributes of item `number`, as those of an item of another id."""
    row = raw_items().iloc[number].to_dict()
    given = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in row.items()}
    return {**{name: value for name, value in given.items() if value is not None}, "item_id": item_id}


def test_the_items_of_a_list_come_in_the_order_and_with_the_scores_of_the_whole(ask: Asking) -> None:
    everything = ask(SESSION)
    listed = ["sku-29", "sku-3", "sku-0", "sku-11", "sku-0"]
    answer = ask(SESSION, candidates=listed)
    assert answer.item_ids == [item_id for item_id in everything.item_ids if item_id in listed]
    scores = dict(zip(everything.item_ids, everything.scores, strict=True))
    assert answer.scores == pytest.approx([scores[item_id] for item_id in answer.item_ids], abs=1e-5)
    assert answer.warnings == [] and answer.categories == everything.categories
    best = ask(SESSION, candidates=listed, top_k=2)
    assert best.item_ids == answer.item_ids[:2]


@pytest.mark.parametrize("number", [24, 26, 29])
def test_an_item_given_by_its_attributes_scores_as_in_the_catalogue(ask: Asking, number: int) -> None:
    # These items have no training history, so that attributes are all there is to them.
    known = f"sku-{number}"
    answer = ask(SESSION, candidates=[known, raw(number, "mine"), "sku-1"])
    assert sorted(answer.item_ids) == ["mine", "sku-1", known]
    scores = dict(zip(answer.item_ids, answer.scores, strict=True))
    assert scores["mine"] == pytest.approx(scores[known], abs=1e-4)
    titles = dict(zip(answer.item_ids, answer.titles, strict=True))
    assert titles["mine"] == "" and titles[known]


def test_one_that_the_catalogue_has_is_looked_up_and_one_of_which_nothing_is_known_is_noted(
    ask: Asking,
) -> None:
    answer = ask(SESSION, candidates=[raw(29, "sku-2"), "nope", {"item_id": "neither"}])
    alone = ask(SESSION, candidates=["sku-2"])
    assert (answer.item_ids, answer.scores) == (["sku-2"], alone.scores)
    assert answer.warnings == [
        "options.candidates: 'nope', 'neither' ignored, since the catalogue has no such item"
    ]
    nobody = ask(SESSION, candidates=["nope"])
    assert nobody.item_ids == [] and nobody.warnings[-1].endswith("none of them can be recommended")


def test_what_is_ignored_of_an_item_is_noted(ask: Asking) -> None:
    odd = {"item_id": "x", "price": "$12.99", "colour": "red", "department": "bakery"}
    answer = ask(["sku-1"], candidates=["sku-1", odd, {"item_id": "x", "department": "dairy"}])
    assert sorted(answer.item_ids) == ["sku-1", "x"]
    assert [warning.split(":")[0] for warning in answer.warnings] == [
        "options.candidates[1]",
        "options.candidates[2]",
        "options.candidates[1]",
    ]
    assert "'colour'" in answer.warnings[0] and "'x' was listed before" in answer.warnings[1]
    assert "not a finite number" in answer.warnings[2]


def test_attributes_that_cannot_be_read_are_refused_by_place(ask: Asking) -> None:
    with pytest.raises(ServerError, match=r"^options\.candidates\[1\]: holds none of the attributes"):
        ask(["sku-1"], candidates=["sku-1", {"item_id": "x", "colour": "red"}])
    with pytest.raises(ServerError, match=r"^options\.candidates: "):
        ask(["sku-1"], candidates=[{"item_id": "x", "image": [1, 2]}])


def test_other_options_know_the_items_of_the_list(ask: Asking) -> None:
    mine = {"item_id": "mine", **BREAD}
    plain = ask(SESSION, candidates=["sku-1", "sku-29", mine], new_items=["sku-29", "mine", "sku-1"])
    options: dict[str, Any] = {"new_items": ["mine"], "new_item_boost": 3}
    boosted = ask(SESSION, candidates=["sku-1", "sku-29", mine], **options)
    before, after = (dict(zip(a.item_ids, a.scores, strict=True)) for a in (plain, boosted))
    assert after["mine"] - before["mine"] == pytest.approx(3, abs=1e-5)
    assert after["sku-29"] == pytest.approx(before["sku-29"], abs=1e-5)
    assert ask(SESSION, candidates=["sku-1", mine], exclude=["mine"]).item_ids == ["sku-1"]
    some = ask(SESSION, candidates=["sku-1", "sku-4", mine], diversity={"by": "department", "most": 1})
    assert len(some.item_ids) == 1, "all three are of the bakery"
    for wanted, found in (("bakery", {"mine", "sku-1"}), ({"not": "bakery"}, set())):
        answer = ask(SESSION, candidates=["sku-1", mine], filters={"department": wanted})
        assert set(answer.item_ids) == found
    # Nothing of this item is known by which it could be filtered.
    unsaid = {"item_id": "mine", "product_name": "green bread"}
    filtered = ask(SESSION, candidates=["sku-1", unsaid], filters={"department": "bakery"})
    assert filtered.item_ids == ["sku-1"] and "only 1 item may be recommended" in filtered.warnings[0]


@pytest.mark.parametrize("more", [{}, {"diversity": {"by": "department", "most": 9}}])
@pytest.mark.parametrize("session", [SESSION, []])
def test_a_filtered_list_is_compared_with_what_was_asked_for(
    ask: Asking, session: list[Any], more: dict[str, Any]
) -> None:
    told = "only 1 item may be recommended; 7 were asked for"
    filters = {"department": "bakery"}
    answer = ask(session, candidates=["sku-1", "sku-2"], top_k=7, filters=filters, **more)
    assert answer.item_ids == ["sku-1"] and told in answer.warnings
    for whole in (
        ask(session, candidates=["sku-1", "sku-2"], top_k=7, **more),
        ask(session, candidates=["sku-1", "sku-2"], top_k=1, filters=filters, **more),
    ):
        assert not any("asked for" in warning for warning in whole.warnings)


def test_without_a_session_a_list_is_ranked_by_popularity(ask: Asking) -> None:
    answer = ask([], candidates=["sku-5", {"item_id": "mine", **BREAD}, "sku-1"])
    assert answer.item_ids == ["sku-1", "sku-5", "mine"] and answer.scores[-1] == 0


def test_a_model_of_training_items_ranks_no_others(tmp_path: Path) -> None:
    config, catalogue, model = build_shop(tmp_path, next_item={"head": "softmax"})
    ask = Asking(Shop(config, catalogue, model, export(config)))
    listed = ["sku-29", "sku-3", "sku-28", {"item_id": "mine", **BREAD}]
    answer = ask([BREAD, "sku-8"], candidates=listed, explain=True)
    assert answer.item_ids == ["sku-3"] and len(answer.explanations) == 1
    assert answer.warnings == [
        "options.candidates: 'mine' ignored, since the catalogue has no such item",
        "options.candidates: 'sku-28', 'sku-29' ignored, since only items that can be recommended are ranked",
    ]


def test_a_list_changes_no_other_answer(shop: Shop, ask: Asking) -> None:
    before = ask(SESSION)
    ask(SESSION, candidates=[{"item_id": "mine", **BREAD}])
    after = ask(SESSION)
    assert (after.item_ids, after.scores) == (before.item_ids, before.scores)
    assert len(after.item_ids) == N_ITEMS


def test_an_item_given_by_its_attributes_is_filtered_as_one_of_the_catalogue(ask: Asking) -> None:
    mine = [raw(number, f"mine-{number}") for number in range(N_ITEMS)]
    wishes: list[dict[str, Any]] = [
        {"department": "dairy"},
        {"department": {"not": ["dairy"]}},
        {"tags": "local"},
        {"tags": {"not": "local"}},
        {"price": {"min": 3, "max": 9}},
        {"price": {"not": {"min": 3}}},
    ]
    for filters in wishes:
        wanted = {f"mine-{item_id[4:]}" for item_id in ask(SESSION, filters=filters).item_ids}
        answer = ask(SESSION, candidates=mine, filters=filters)
        assert set(answer.item_ids) == wanted and 0 < len(wanted) < N_ITEMS, filters
    by = {"by": "department", "most": 1}
    listed, whole = ask(SESSION, candidates=mine, diversity=by), ask(SESSION, diversity=by)
    assert len(listed.item_ids) == len(whole.item_ids) < N_ITEMS
