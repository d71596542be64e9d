"""The recommender gives the model's own answers, by way of the exported files only."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m2trec_merlin.encoded import FIRST_VALUE
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.serving.runtime.answering.additions import repeat_addition
from m2trec_merlin.serving.runtime.answering.recommending import Recommender
from m2trec_merlin.serving.runtime.options import check_options
from m2trec_merlin.serving.runtime.reading.parsing import RawSession
from m2trec_merlin.serving.runtime.reading.sessions import ReadSession, SessionReader
from m2trec_merlin.serving.runtime.requests import Answer, Request
from m2trec_merlin.serving.runtime.steps import PreprocessStep
from tests.worlds.shop import MAX_LENGTH, N_ITEMS, N_SEEN, Shop, offline_scores

NEW_BREAD = {"product_name": "purple bread 7", "department": "bakery", "tags": "local|vegan", "price": 2.5}
NEW_THING = {"product_name": "zzz", "department": "unheard of", "image": [0.5, -1.0, 2.0]}
SESSIONS: list[list[Any]] = [
    ["sku-3"],
    ["sku-1", "sku-2", "sku-1"],
    [f"sku-{i}" for i in range(MAX_LENGTH)],
    [f"sku-{i}" for i in range(20, 20 + MAX_LENGTH + 3)],
    [NEW_BREAD],
    ["sku-4", NEW_BREAD, "sku-29", NEW_THING, "sku-4"],
    [NEW_THING, NEW_BREAD],
]


@pytest.fixture(scope="module")
def reader(shop: Shop) -> SessionReader:
    return PreprocessStep(shop.preprocess).reader


@pytest.fixture(scope="module")
def recommender(shop: Shop) -> Recommender:
    return Recommender(shop.predict)


def request_for(reader: SessionReader, session: list[Any], top_k: int, **options: object) -> Request:
    ids = ["" if isinstance(item, dict) else item for item in session]
    attributes = [json.dumps(item) if isinstance(item, dict) else "" for item in session]
    [read] = reader.read([RawSession(ids, attributes)])
    assert isinstance(read, ReadSession), read
    checked = check_options(json.dumps({"top_k": top_k, **options}), reader.version)
    return Request(read.rows, read.new_items, checked, read.notes)


def assert_equals_offline(shop: Shop, session: list[Any], answer: Answer) -> None:
    scores, departments = offline_scores(shop, session)
    rows = shop.catalogue.rows_of(answer.item_ids)
    np.testing.assert_allclose(answer.scores, scores[rows], atol=1e-4)
    np.testing.assert_allclose(answer.scores, -np.sort(-scores)[: len(rows)], atol=1e-4)
    names, shares = answer.categories["department"]
    np.testing.assert_allclose(shares, -np.sort(-departments)[:2], atol=1e-5)
    assert names[0] == shop.catalogue.category_names("department")[FIRST_VALUE + int(departments.argmax())]


@pytest.mark.parametrize("session", SESSIONS)
def test_answers_equal_the_model(
    shop: Shop, reader: SessionReader, recommender: Recommender, session: list[Any]
) -> None:
    [answer] = recommender.recommend([request_for(reader, session, N_ITEMS)])
    assert len(answer.item_ids) == N_ITEMS
    assert_equals_offline(shop, session, answer)


def test_a_batch_gives_each_session_its_own_answer(
    shop: Shop, reader: SessionReader, recommender: Recommender
) -> None:
    requests = [request_for(reader, session, 5) for session in SESSIONS]
    for session, answer in zip(SESSIONS, recommender.recommend(requests), strict=True):
        assert_equals_offline(shop, session, answer)


def test_titles_belong_to_the_items(reader: SessionReader, recommender: Recommender, shop: Shop) -> None:
    [answer] = recommender.recommend([request_for(reader, ["sku-3"], 4)])
    display = shop.catalogue.display().set_index("item_id")["title"]
    assert answer.titles == [display[item_id] for item_id in answer.item_ids]


def test_excluded_items_are_left_out_and_the_rest_keeps_its_order(
    reader: SessionReader, recommender: Recommender
) -> None:
    session = ["sku-3", "sku-8"]
    [everything] = recommender.recommend([request_for(reader, session, N_ITEMS)])
    first = everything.item_ids[0]
    options = {"exclude": [first, "never heard of"], "exclude_session_items": True}
    [answer] = recommender.recommend([request_for(reader, session, N_ITEMS, **options)])
    assert answer.item_ids == [i for i in everything.item_ids if i not in {first, *session}]
    assert any("may be recommended" in warning for warning in answer.warnings)


def test_a_boost_lifts_the_items_without_history_and_no_others(
    shop: Shop, reader: SessionReader, recommender: Recommender
) -> None:
    session = ["sku-3", "sku-8"]
    requests = [request_for(reader, session, N_ITEMS, new_item_boost=boost) for boost in (0, 0.75)]
    plain, boosted = recommender.recommend(requests)
    before, after = (dict(zip(a.item_ids, a.scores, strict=True)) for a in (plain, boosted))
    new = {
        item_id
        for item_id in before
        if shop.catalogue.train_counts[shop.catalogue.rows_of([item_id])[0]] == 0
    }
    assert new == {f"sku-{i}" for i in range(N_SEEN, N_ITEMS)}
    for item_id, score in before.items():
        assert after[item_id] - score == pytest.approx(0.75 if item_id in new else 0, abs=1e-5)
    # Of the items that a request calls new, those with a history are not, nor are those nobody knows.
    named = {"new_item_boost": 0.75, "new_items": ["sku-1", f"sku-{N_SEEN}", "never heard of"]}
    [some] = recommender.recommend([request_for(reader, session, N_ITEMS, **named)])
    for item_id, score in zip(some.item_ids, some.scores, strict=True):
        lifted = 0.75 if item_id == f"sku-{N_SEEN}" else 0
        assert score - before[item_id] == pytest.approx(lifted, abs=1e-5)


def test_popularity_counts_as_much_as_a_request_says(
    reader: SessionReader, recommender: Recommender, shop: Shop
) -> None:
    biases = np.load(shop.predict / "biases.npy")
    requests = [request_for(reader, ["sku-3"], N_ITEMS, popularity=share) for share in (1, 0.25, 0)]
    scores = [
        dict(zip(answer.item_ids, answer.scores.tolist(), strict=True))
        for answer in recommender.recommend(requests)
    ]
    [plain] = recommender.recommend([request_for(reader, ["sku-3"], N_ITEMS)])
    assert list(scores[0].values()) == plain.scores.tolist()
    assert np.abs(biases[1:]).min() > 0.01
    for row, item_id in enumerate((f"sku-{i}" for i in range(N_ITEMS)), start=1):
        assert scores[1][item_id] == pytest.approx(scores[0][item_id] - 0.75 * biases[row], abs=1e-5)
        assert scores[2][item_id] == pytest.approx(scores[0][item_id] - biases[row], abs=1e-5)
    [empty] = recommender.recommend([request_for(reader, [], 3, popularity=0, new_item_boost=2)])
    assert [note.split(",")[0] for note in empty.warnings[:2]] == [
        "options.popularity: ignored",
        "options.new_item_boost: ignored",
    ]


def test_a_department_may_not_fill_the_answer(reader: SessionReader, recommender: Recommender) -> None:
    [everything] = recommender.recommend([request_for(reader, ["sku-3"], N_ITEMS)])
    capped = {"diversity": {"by": "department", "most": 2}}
    [answer] = recommender.recommend([request_for(reader, ["sku-3"], 6, **capped)])
    department = {f"sku-{i}": i % 3 for i in range(N_ITEMS)}
    expected: list[str] = []
    for item_id in everything.item_ids:
        if sum(department[item_id] == department[other] for other in expected) < 2:
            expected.append(item_id)
    assert answer.item_ids == expected and len(expected) == 6
    before = dict(zip(everything.item_ids, everything.scores.tolist(), strict=True))
    assert answer.scores.tolist() == pytest.approx([before[item_id] for item_id in expected])
    [much] = recommender.recommend([request_for(reader, ["sku-3"], 1500, **capped)])
    assert len(much.item_ids) == 6 and much.warnings == [
        "options.diversity: chooses 1,000 items at most",
        "only 6 items may be recommended; 1500 were asked for",
    ]


def test_filters_leave_what_passes_in_order(reader: SessionReader, recommender: Recommender) -> None:
    [everything] = recommender.recommend([request_for(reader, ["sku-3"], N_ITEMS)])
    filters = {"department": "dairy", "price": {"max": 20}}
    [answer] = recommender.recommend([request_for(reader, ["sku-3"], N_ITEMS, filters=filters)])
    dairy = {f"sku-{i}" for i in range(N_ITEMS) if i % 3 == 2 and 1.0 + i <= 20}
    assert set(answer.item_ids) == dairy
    assert answer.item_ids == [i for i in everything.item_ids if i in dairy]


def test_without_a_usable_item_the_most_frequent_are_recommended(
    reader: SessionReader, recommender: Recommender
) -> None:
    requests = [request_for(reader, session, 3) for session in ([], ["nope"], ["sku-1"])]
    empty, unknown, known = recommender.recommend(requests)
    assert empty.item_ids == unknown.item_ids == ["sku-0", "sku-1", "sku-2"]
    assert empty.scores.tolist() == pytest.approx([24 / 300, 23 / 300, 22 / 300])
    assert empty.categories["department"][0] == []
    assert "most frequent" in empty.warnings[-1] and "'nope'" in unknown.warnings[0]
    assert known.warnings == []


def test_an_altered_file_is_not_loaded(shop: Shop, tmp_path: Path) -> None:
    copy = shutil.copytree(shop.predict, tmp_path / "1")
    biases = np.load(copy / "biases.npy")
    np.save(copy / "biases.npy", biases + 1)
    with pytest.raises(ArtifactError, match=r"biases\.npy changed"):
        Recommender(copy)


def test_the_repeat_bias_is_that_of_the_most_recent_occurrence() -> None:
    # From the end: row 2 (distance 0), new item, row 4 (2), row 2 again (3), row 5 (4).
    biases = np.array([1, 10, 100, 1000, 10000], np.float32)
    rows, values = repeat_addition(np.array([5, 2, 4, -1, 2]), biases)
    assert dict(zip(rows.tolist(), np.asarray(values).tolist(), strict=True)) == {5: 10000, 4: 100, 2: 1}
