"""A model exported with its neighbours answers as the mixture does offline."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.config.serving import FixedMixture, NoMixture
from m2trec_merlin.contract.names import PREDICT
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.evaluation.known import known_before
from m2trec_merlin.evaluation.served import mixture_of
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.neighbours import word_likeness
from m2trec_merlin.neighbours.mixture import Lifts
from m2trec_merlin.neighbours.weights import Weights
from m2trec_merlin.runs import Run
from m2trec_merlin.scores import Lift
from m2trec_merlin.search import candidates, scored
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
from m2trec_merlin.serving.client import Recommendations
from m2trec_merlin.serving.export.run import export
from m2trec_merlin.serving.runtime.answering.neighbours import ExportedNeighbours
from m2trec_merlin.serving.runtime.answering.recommending import Recommender
from m2trec_merlin.serving.runtime.options import OPTIONS
from m2trec_merlin.serving.runtime.requests import Request
from m2trec_merlin.sessions import Sessions
from tests.serving.runtime.asking import Asking
from tests.worlds.shop import MAX_LENGTH, N_ITEMS, N_SEEN, Shop, build_shop, raw_items

WEIGHTS = Weights(
    by_id=1.0,
    by_metadata=2.0,
    beside=0.6,
    rare_beside=0.4,
    content=0.5,
    rare_content=1.5,
    rare=0.7,
    new=0.3,
    listed=1.2,
    trend=0.8,
)


def sessions_of(sessions: list[list[int]], targets: list[list[int]]) -> Sessions:
    """Sessions of rows, and for each event 1 if it may be a target."""
    return replace(Sessions.from_lists(sessions), is_target=np.concatenate(targets) > 0)


#: Who looks at an item again buys another one; and one buyer among many who only look buys what they look at.
LOOKED_AT_AGAIN = sessions_of([[1, 2, 1, 3], [4, 3, 5, 6]], [[0, 0, 0, 1]] * 2)
BOUGHT_AS_SEEN = sessions_of([[1, 2, 2], *[[1, 2, 3]] * 60], [[0, 0, 1], *[[0, 0, 0]] * 60])


def mixed_shop(
    folder: Path,
    weights: Weights = WEIGHTS,
    listed: Sequence[int] | None = None,
    sessions: Sessions | None = None,
    **model: object,
) -> Shop:
    config, catalogue, trained = build_shop(folder, listed=listed, sessions=sessions, **model)
    serving = config.serving.model_copy(update={"mixture": FixedMixture(**weights)})
    config = config.model_copy(update={"serving": serving})
    return Shop(config, catalogue, trained, export(config))


def request(rows: list[int], top_k: int, **options: object) -> Request:
    everything = {option.name: option.default for option in OPTIONS}
    return Request(np.array(rows, np.int64), {}, {**everything, "top_k": top_k, **options}, [])


@pytest.mark.parametrize(
    "options",
    [
        {"weights": WEIGHTS.but(new_session=1.5)},
        {"weights": Weights(by_id=2.0)},
        {"inputs": [ITEM_ID, "department"]},
        {"listed": [N_ITEMS - 1, N_SEEN]},
        {"sessions": LOOKED_AT_AGAIN},
        {"sessions": BOUGHT_AS_SEEN},
    ],
    ids=[
        "all views",
        "neighbours by id",
        "a model of ids",
        "dates of listing",
        "views repeat",
        "buys repeat",
    ],
)
def test_answers_equal_the_mixture(tmp_path: Path, options: dict[str, Any]) -> None:
    shop = mixed_shop(tmp_path, **options)
    weights = options.get("weights", WEIGHTS)
    known = known_before(Run(shop.config), shop.catalogue)
    assert known.trends is not None and known.trends.min() < 0 < known.trends.max()
    assert known.trends[26] > 0 == shop.catalogue.train_counts[26], "it sold in validation alone"
    offline = mixture_of(weights, shop.catalogue, known, ModelScorer(shop.model))
    sessions = [[3], [1, 2], [9, 30, 2, 1], list(range(1, MAX_LENGTH + 1)), [30]]
    requests = [request(rows, N_ITEMS) for rows in sessions]
    answers = Recommender(shop.predict).recommend(requests)
    for rows, answer in zip(sessions, answers, strict=True):
        prefixes = Sessions.from_lists([[*rows, 1]]).prefixes()
        expected = offline.score(prefixes.take(np.array([len(rows) - 1])))[0]
        assert len(answer.item_ids) == N_ITEMS
        found = shop.catalogue.rows_of(answer.item_ids)
        np.testing.assert_allclose(answer.scores, expected[found], atol=1e-4)
        assert (np.diff(answer.scores) <= 1e-6).all()


def test_neighbours_change_the_answer(tmp_path: Path) -> None:
    shop = mixed_shop(tmp_path)
    plain_config = shop.config.model_copy(
        update={"serving": shop.config.serving.model_copy(update={"mixture": NoMixture()})}
    )
    mixed = Recommender(shop.predict).recommend([request([2], N_ITEMS)])[0]
    folder = version_folder(export(plain_config), PREDICT)
    plain = Recommender(folder).recommend([request([2], N_ITEMS)])[0]
    assert mixed.item_ids != plain.item_ids
    # Item 3 follows item 2 in two of three sessions that hold it.
    bought = str(shop.catalogue.item_ids[3])
    assert mixed.item_ids.index(bought) < plain.item_ids.index(bought)
    assert not list(folder.glob("neighbour*"))


def test_boosts_and_exclusions_work_on_the_mixture(tmp_path: Path) -> None:
    shop = mixed_shop(tmp_path)
    recommender = Recommender(shop.predict)
    session = [2, 30]
    plain, boosted = recommender.recommend(
        [
            request(session, N_ITEMS),
            request(session, N_ITEMS, new_item_boost=50.0, exclude_session_items=True),
        ]
    )
    held = {str(item_id) for item_id in shop.catalogue.item_ids[session]}
    new = {f"sku-{i}" for i in range(N_SEEN, N_ITEMS)} - held
    # A boost of 50 lifts all new items above all others; neither group changes its order.
    lifted = [item_id for item_id in plain.item_ids if item_id in new]
    rest = [item_id for item_id in plain.item_ids if item_id not in new | held]
    assert boosted.item_ids == lifted + rest
    assert len(lifted) == N_ITEMS - N_SEEN - 1


def test_a_list_is_ranked_and_explained_as_the_mixture_has_it(tmp_path: Path) -> None:
    shop = mixed_shop(tmp_path)
    ask = Asking(shop)
    session = ["sku-1", "sku-2", "sku-1"]
    everything = ask(session)
    scores = dict(zip(everything.item_ids, everything.scores, strict=True))
    described = {"item_id": "mine", "product_name": "red apple 3", "department": "bakery"}
    answer = ask(session, candidates=["sku-29", "sku-3", described], explain=True)
    for item_id, score in zip(answer.item_ids, answer.scores, strict=True):
        # One item more is in the sum of the softmax, which moves all scores alike.
        assert item_id == "mine" or score == pytest.approx(scores[item_id], abs=0.2)
    found = dict(zip(answer.item_ids, answer.explanations, strict=True))
    assert set(found) == {"sku-29", "sku-3", "mine"}
    # Item 4, sku-3, was bought with items 2 and 3; words alone speak for sku-29, which never sold.
    assert found["sku-3"].falls["neighbours"] > found["sku-29"].falls["neighbours"] > 0.5
    assert found["mine"].falls["neighbours"] == pytest.approx(0, abs=1e-5)
    assert found["mine"].falls["trend"] == found["sku-29"].falls["trend"] == 0, "without a past there is none"
    trends = known_before(Run(shop.config), shop.catalogue).trends
    assert trends is not None and trends[4] != 0
    assert found["sku-3"].falls["trend"] == pytest.approx(WEIGHTS["trend"] * trends[4], abs=1e-3)
    assert found["sku-29"].falls["boost"] == pytest.approx(WEIGHTS["rare"] + WEIGHTS["new"], abs=1e-3)
    assert found["mine"].falls["boost"] == pytest.approx(WEIGHTS["listed"], abs=1e-3), "training never saw it"
    plain = ask(session, top_k=4, explain=True)
    again = [ask(session[:n] + session[n + 1 :]) for n in range(3)]
    for item_id, score, said in zip(plain.item_ids, plain.scores, plain.explanations, strict=True):
        falls = [score - dict(zip(a.item_ids, a.scores, strict=True))[item_id] for a in again]
        assert max(falls) == pytest.approx(said.event_fall or 0, abs=1e-3) or max(falls) < 0
        assert said.event is None or falls[said.event] == pytest.approx(max(falls), abs=1e-3)
    assert any(said.event is not None for said in plain.explanations)


def test_new_items_come_up_after_rare_ones_by_the_boost_and_not_by_neighbours(tmp_path: Path) -> None:
    weights = Weights(by_id=1.0, new_session=2.0)
    ask = Asking(mixed_shop(tmp_path, weights))
    for session in (["sku-23"], ["sku-0", "sku-1"]):
        found = ask(session, candidates=["sku-29"], explain=True)
        sold = [N_SEEN - int(item.removeprefix("sku-")) for item in session]
        rarity = np.mean([5 / (5 + each) for each in sold])
        falls = found.explanations[0].falls
        assert falls["boost"] == pytest.approx(2 * np.log((0.05 + rarity) / 0.25), abs=1e-3)
        assert falls["neighbours"] == pytest.approx(0, abs=1e-4), "sku-29 never sold"
    assert falls["boost"] < 0, "what sells often does not lead to new items"


def test_neighbours_know_a_changed_catalogue_as_it_was_exported(tmp_path: Path) -> None:
    shop = mixed_shop(tmp_path)
    session = ["sku-1", "sku-2"]
    before = scores_of(Asking(shop)(session, top_k=N_ITEMS))
    table = tmp_path / "new.parquet"
    described = raw_items().iloc[[3]].assign(item_id="new-1")
    mine = {**described.iloc[0], "image": list(described["image"].iloc[0]), "item_id": "mine"}
    described.to_parquet(table, index=False)
    verbs = CatalogueVerbs(shop.repository)
    verbs.add(table)
    raw_items().iloc[[3, 29]].to_parquet(table, index=False)
    verbs.update(table)
    verbs.remove(["sku-9"])
    ask = Asking(shop)
    after = scores_of(ask(session, top_k=N_ITEMS + 1))
    assert after.keys() == before.keys() - {"sku-9"} | {"new-1"}
    # Other items are in the sum of the softmax, which moves all scores alike.
    moved = [after[item_id] - before[item_id] for item_id in before.keys() & after.keys()]
    np.testing.assert_allclose(moved, moved[0], atol=1e-4)
    # Described as sku-3, which was bought with the session's items, and has no history of its own.
    assert after["new-1"] < after["sku-3"]
    listed = ask(session, candidates=["new-1", "sku-29", mine], explain=True)
    found = dict(zip(listed.item_ids, listed.explanations, strict=True))
    assert listed.scores[listed.item_ids.index("mine")] == pytest.approx(
        listed.scores[listed.item_ids.index("new-1")], abs=1e-4
    )
    for item_id in ("mine", "new-1"):
        assert found[item_id].falls["neighbours"] == pytest.approx(0, abs=1e-4)
        assert found[item_id].falls["boost"] == pytest.approx(WEIGHTS["listed"], abs=1e-3)
    # An event of an item that was updated counts for neighbours as the item that it was.
    assert found["sku-29"].falls["neighbours"] > 0.5
    assert scores_of(ask(["new-1"], top_k=N_ITEMS + 1)).keys() == after.keys()


def test_rows_that_are_no_items_any_more_take_no_places_among_the_likest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_likeness, "NEAREST", 3)
    weights = Weights(content=1.0)
    shop = mixed_shop(tmp_path, weights)
    recommender, neighbours = Recommender(shop.predict), ExportedNeighbours(shop.predict, weights)
    verbs, table = CatalogueVerbs(shop.repository), tmp_path / "same.parquet"

    def likest() -> dict[str, float]:
        catalogue = recommender.catalogue()
        session = np.array([catalogue.items.rows.row("sku-0")])
        _, rows, changes = neighbours.lift(session, catalogue)
        return {i: c for i, c in zip(catalogue.items.ids(rows), changes.tolist(), strict=True) if c > 0}

    before = likest()
    assert 2 <= len(before) < 10
    raw_items().iloc[[0, 12, 24]].to_parquet(table, index=False)
    verbs.update(table)
    assert likest() == pytest.approx(before), "each has the values that it had"
    verbs.rollback(0)
    verbs.remove([*before])
    assert len(after := likest()) >= 2 and not after.keys() & before.keys(), "the next come up"


def test_no_request_waits_for_what_sessions_of_a_catalogue_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = mixed_shop(tmp_path)
    made: list[int] = []

    def counted(self: Lifts, session: np.ndarray) -> Lift:
        made.append(len(self.background))
        return near(self, session)

    near = Lifts.near
    recommender = Recommender(shop.predict)
    table = tmp_path / "new.parquet"
    raw_items().iloc[[3]].assign(item_id="new-1").to_parquet(table, index=False)
    CatalogueVerbs(shop.repository).add(table)
    monkeypatch.setattr(Lifts, "near", counted)
    name, _ = recommender.catalogues.served()
    assert made == [N_ITEMS + 2], "a version is tried before it is served"
    monkeypatch.setattr(Lifts, "__init__", lambda *_: pytest.fail("made while a request waits"))
    [answer] = recommender.recommend([replace(request([2], 3), catalogue=name)])
    assert answer.about.catalogue == "1" and len(answer.item_ids) == 3


def test_no_request_waits_for_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """numba compiles a function for each type of its arguments; what may be written to is another."""
    shop = mixed_shop(tmp_path)
    types: set[tuple[object, ...]] = set()

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            arrays = [each for each in arguments if isinstance(each, np.ndarray)]
            flags = ((a.dtype, a.ndim, a.flags.writeable, a.flags.c_contiguous) for a in arrays)
            types.add((name, *flags))
            return function(*arguments)

        return call

    for module, name in ((scored, "products_of"), (candidates, "_add")):
        monkeypatch.setattr(module, name, noted(name, getattr(module, name)))
    recommender = Recommender(shop.predict)
    compiled = set(types)
    assert {name for name, *_ in compiled} == {"products_of", "_add"}
    recommender.recommend([request([2], 3)])
    table = tmp_path / "new.parquet"
    raw_items().iloc[[3]].assign(item_id="new-1").to_parquet(table, index=False)
    CatalogueVerbs(shop.repository).add(table)
    name, _ = recommender.catalogues.served()
    recommender.recommend([replace(request([2], N_ITEMS), catalogue=name)])
    assert types == compiled


def scores_of(answer: Recommendations) -> dict[str, float]:
    return dict(zip(answer.item_ids, answer.scores, strict=True))


def test_without_what_they_need_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = mixed_shop(tmp_path).predict
    monkeypatch.setitem(sys.modules, "m2trec_merlin.serving.runtime.answering.neighbours", None)
    with pytest.raises(MissingDependencyError, match="exported with neighbours"):
        Recommender(folder)


def test_what_was_listed_too_late_to_sell_is_weighed_as_what_came_since(tmp_path: Path) -> None:
    """Of two items that never sold one is dead stock, in the export and after a change of the catalogue."""
    shop = mixed_shop(tmp_path, Weights(by_id=1.0, new=-3.0, listed=5.0), listed=[N_ITEMS - 1])
    known, late, new = (f"sku-{number}" for number in range(N_ITEMS - 2, N_ITEMS + 1))

    def boosts(*items: str) -> dict[str, float]:
        answer = Asking(shop)(["sku-1", "sku-2"], candidates=list(items), explain=True)
        return {
            item: why.falls["boost"] for item, why in zip(answer.item_ids, answer.explanations, strict=True)
        }

    assert boosts(known, late) == pytest.approx({known: -3.0, late: 5.0}, abs=1e-3)
    raw_items()[:1].assign(item_id=new).to_parquet(tmp_path / "more.parquet", index=False)
    CatalogueVerbs(shop.repository).add(tmp_path / "more.parquet")
    assert boosts(known, late, new) == pytest.approx({known: -3.0, late: 5.0, new: 5.0}, abs=1e-3)
