from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import m2trec_merlin as m2trec
from m2trec_merlin.contract.checksums import seal
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.version import BIASES
from m2trec_merlin.errors import ArtifactError, MissingDependencyError, RefusedError, ServerError
from m2trec_merlin.library import local
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
from m2trec_merlin.serving.client import RecommendationClient, Recommendations
from m2trec_merlin.serving.client.answers import parse_answer
from m2trec_merlin.serving.client.requests import build_request
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep, Tensors
from tests.serving.runtime.answering.test_recommending import NEW_BREAD, NEW_THING, SESSIONS
from tests.serving.runtime.test_light_imports import HEAVY, modules_of
from tests.worlds.shop import N_ITEMS, Shop, encode_raw, offline_scores

#: What a client may ask, as arguments of `recommend`.
ASKED: list[dict[str, Any]] = [
    *({"session": session} for session in SESSIONS),
    {"session": ["sku-1", NEW_BREAD, "no such id"], "top_k": 3},
    {"session": ["sku-2", "sku-5"], "exclude": ["sku-8", "what?"], "exclude_session_items": True},
    {"session": ["sku-2"], "filters": {"department": "dairy", "price": {"max": 15}}, "top_k": 4},
    {"session": ["sku-3", NEW_THING], "new_item_boost": 4.0, "new_items": ["sku-27"], "popularity": 0.5},
    {"session": ["sku-3", "sku-4"], "candidates": ["sku-1", {"item_id": "x", **NEW_THING}], "explain": True},
    {"session": ["sku-3"], "diversity": {"by": "department", "most": 1}},
    {"session": [{"product_name": "green tea", "price": "dear", "colour": "red"}]},
    {
        "session": ["sku-3"],
        "candidates": ["sku-5", "sku-9", {"item_id": "new", **NEW_BREAD}],
        "explain": True,
    },
    {"session": []},
]


@pytest.fixture(scope="module")
def steps(shop: Shop) -> tuple[PreprocessStep, PredictStep]:
    return PreprocessStep(shop.preprocess), PredictStep(shop.predict)


def unnamed(answer: Recommendations) -> Recommendations:
    return replace(answer, about=replace(answer.about, request_id=""))


@pytest.mark.parametrize("asked", ASKED)
def test_answers_are_those_of_the_two_steps_that_a_server_runs(
    steps: tuple[PreprocessStep, PredictStep],
    recommender: m2trec.LocalRecommender,
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, Any],
) -> None:
    sent: list[Tensors] = []
    monkeypatch.setattr(local, "build_request", lambda *said: sent.append(build_request(*said)) or sent[-1])
    found = recommender.recommend(**asked)
    first, second = steps
    [read] = first.answer(sent)
    assert isinstance(read, dict), read
    [answer] = second.answer([read])
    assert isinstance(answer, dict), answer
    expected = parse_answer({name: array[0] for name, array in answer.items()})
    assert unnamed(found) == unnamed(expected)


@pytest.mark.parametrize("number", range(len(SESSIONS)))
def test_answers_equal_the_model(shop: Shop, recommender: m2trec.LocalRecommender, number: int) -> None:
    answer = recommender.recommend(SESSIONS[number], top_k=N_ITEMS)
    scores, departments = offline_scores(shop, SESSIONS[number])
    np.testing.assert_allclose(answer.scores, -np.sort(-scores)[:N_ITEMS], atol=1e-4)
    rows = shop.catalogue.rows_of(answer.item_ids)
    np.testing.assert_allclose(answer.scores, scores[rows], atol=1e-4)
    shares = [share for _, share in answer.categories["department"]]
    np.testing.assert_allclose(shares, -np.sort(-departments)[:2], atol=1e-5)


def test_many_sessions_get_the_answers_of_each_in_their_order(
    recommender: m2trec.LocalRecommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_SESSIONS_AT_ONCE", 3)
    sessions = [*SESSIONS, [], ["sku-4", "sku-4"]]
    options: dict[str, Any] = {"top_k": 4, "exclude": ["sku-9"], "diversity": {"by": "department", "most": 2}}
    answers = recommender.recommend_many(sessions, **options)
    alone = [recommender.recommend(session, **options) for session in sessions]
    assert [answer.item_ids for answer in answers] == [answer.item_ids for answer in alone]
    for answer, one in zip(answers, alone, strict=True):
        np.testing.assert_allclose(answer.scores, one.scores, atol=1e-5)
    assert recommender.recommend_many([]) == []


def test_options_that_can_be_read_once_count_for_every_session(recommender: m2trec.LocalRecommender) -> None:
    answers = recommender.recommend_many([["sku-1"], ["sku-1"]], exclude=(i for i in ["sku-1", "sku-9"]))
    assert answers[0].item_ids == answers[1].item_ids and "sku-1" not in answers[0].item_ids


def test_a_wrong_request_is_named(recommender: m2trec.LocalRecommender) -> None:
    with pytest.raises(RefusedError, match=r"^options\.topk: no such option; accepted: "):
        recommender.recommend(["sku-1"], topk=3)
    with pytest.raises(RefusedError, match=r"^sessions\[1\]: item_attributes\[0\]: holds none of the attr"):
        recommender.recommend_many([["sku-1"], [{"colour": "red"}]])
    with pytest.raises(RefusedError, match=r"a session is a list of items: put 'sku-1' into brackets"):
        recommender.recommend("sku-1")


@pytest.mark.parametrize("unordered", [{"sku-1", "sku-2"}, frozenset(["sku-1"])])
def test_sets_are_no_lists_in_order(recommender: m2trec.LocalRecommender, unordered: Any) -> None:
    """Their order is another one in each process, and so would answers and lines of vectors be."""
    for ask in (recommender.recommend, recommender.recommend_many, recommender.encode, recommender.describe):
        with pytest.raises(RefusedError, match="is a list of items in order: a set has none"):
            ask(unordered)
    with pytest.raises(RefusedError, match=r"^sessions\[1\]: a session is a list of items in order"):
        recommender.recommend_many([["sku-1"], unordered])
    without = recommender.recommend(["sku-1"], exclude=unordered)
    assert not unordered & set(without.item_ids)


def test_local_and_remote_recommenders_take_the_same() -> None:
    def parameters(method: Any) -> dict[str, Any]:
        found = inspect.signature(method).parameters
        return {name: (each.default, each.annotation) for name, each in found.items() if name != "timeout"}

    remote = parameters(RecommendationClient.recommend)
    assert parameters(m2trec.LocalRecommender.recommend) == remote
    many = parameters(m2trec.LocalRecommender.recommend_many)
    assert {**remote, "sessions": many["sessions"]} == {**many, "session": remote["session"]}


def test_items_are_encoded_as_the_model_does(
    shop: Shop, recommender: m2trec.LocalRecommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_ITEMS_AT_ONCE", 3)
    items = ["sku-7", NEW_BREAD, NEW_THING, {"item_id": "sku-29", "price": 1}, NEW_BREAD]
    with torch.inference_mode():
        known = shop.model.encode_rows(torch.tensor([8, 30])).described
        raw = [shop.model.item_encoder(encode_raw(shop, item)).described for item in (NEW_BREAD, NEW_THING)]
        expected = torch.cat([known[:1], *raw, known[1:], raw[0]]).numpy()
    vectors = recommender.encode(items)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    assert recommender.encode([]).shape == (0, vectors.shape[1])


def test_what_cannot_be_encoded_is_named_and_what_is_ignored_is_told(
    recommender: m2trec.LocalRecommender,
) -> None:
    with pytest.raises(RefusedError, match=r"^items\[1\]: the catalogue has no item 'x', and no attributes"):
        recommender.encode(["sku-1", "x"])
    with pytest.raises(RefusedError, match=r"^items\[1\]: holds none of the attributes"):
        recommender.encode(["sku-1", {"colour": "red"}])
    with pytest.warns(UserWarning, match=r"^items\[1\]: price 'dear' is not a finite number") as told:
        recommender.encode(["sku-1", {"product_name": "tea", "price": "dear"}])
    assert Path(told[0].filename) == Path(__file__)


@pytest.mark.parametrize("item", ["sku-7", NEW_BREAD])
def test_similar_items_are_those_of_the_largest_cosines(
    recommender: m2trec.LocalRecommender, item: str | dict[str, Any]
) -> None:
    ids = [f"sku-{number}" for number in range(N_ITEMS) if f"sku-{number}" != item]
    vectors, vector = recommender.encode(ids), recommender.encode([item])[0]
    cosines = vectors @ vector / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vector)
    order = np.argsort(-cosines, kind="stable")
    found = recommender.similar(item, top_k=N_ITEMS)
    assert found.item_ids == [ids[place] for place in order]
    np.testing.assert_allclose(found.scores, cosines[order], atol=1e-6)
    everything = recommender.recommend(["sku-1"], top_k=N_ITEMS)
    titles = dict(zip(everything.item_ids, everything.titles, strict=True))
    assert found.titles == [titles[item_id] for item_id in found.item_ids]
    vegan = "item: tags: the model does not know 'vegan', so nothing is concluded from it"
    assert found.warnings == ([vegan] if item == NEW_BREAD else [])


def test_similar_items_can_be_chosen_among(recommender: m2trec.LocalRecommender) -> None:
    everything = recommender.similar("sku-7", top_k=N_ITEMS)
    bakery = recommender.similar("sku-7", exclude=["sku-4", "?"], filters={"department": "bakery"})
    wanted = {f"sku-{number}" for number in range(1, N_ITEMS, 3)} - {"sku-4", "sku-7"}
    assert bakery.item_ids == [each for each in everything.item_ids if each in wanted][:5]
    assert bakery.warnings == ["options.exclude: '?' ignored, since the catalogue has no such item"]
    with pytest.raises(RefusedError, match=r"^options\.top_k: expected a whole number from 1 to 10,000"):
        recommender.similar("sku-7", top_k=0)
    with pytest.raises(RefusedError, match=r"^item: the catalogue has no item 'x'"):
        recommender.similar("x")


def test_what_cannot_be_recommended_is_similar_to_nothing(shop: Shop, tmp_path: Path) -> None:
    folder = version_folder(shutil.copytree(shop.repository, tmp_path / "triton"), PREDICT)
    biases = np.load(folder / BIASES)
    biases[shop.catalogue.rows_of(["sku-7"])] = -np.inf
    np.save(folder / BIASES, biases)
    seal(folder)
    found = m2trec.load(tmp_path).similar("sku-1", top_k=N_ITEMS)
    assert {*found.item_ids} == {f"sku-{number}" for number in range(N_ITEMS)} - {"sku-1", "sku-7"}


def test_changes_of_the_catalogue_are_taken_up_as_by_a_server(shop: Shop, tmp_path: Path) -> None:
    repository = shutil.copytree(shop.repository, tmp_path / "triton")
    recommender = m2trec.load(repository)
    assert "'new-1'" in recommender.recommend(["new-1"]).warnings[0]
    item = {**NEW_BREAD, "image": [0.5, -1.0, 2.0]}
    pd.DataFrame([{"item_id": "new-1", **item}]).to_parquet(tmp_path / "items.parquet")
    catalogue = CatalogueVerbs(repository)
    catalogue.add(tmp_path / "items.parquet")
    catalogue.remove(["sku-7"])
    answer = recommender.recommend(["new-1"], top_k=2 * N_ITEMS)
    known = {f"sku-{number}" for number in range(N_ITEMS)} - {"sku-7"}
    assert {*answer.item_ids} == known | {"new-1"} and answer.about.catalogue == "2"
    assert {*recommender.similar("new-1", top_k=2 * N_ITEMS).item_ids} == known
    np.testing.assert_allclose(recommender.encode(["new-1"]), recommender.encode([item]), atol=1e-6)
    with pytest.raises(RefusedError, match="the catalogue has no item 'sku-7'"):
        recommender.encode(["sku-7"])


def test_items_are_available_by_the_clock_whoever_asks(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, now = shutil.copytree(shop.repository, tmp_path / "triton"), time.time()
    item = {**NEW_BREAD, "image": [0.5, -1.0, 2.0], "available_until": "2100-01-01"}
    pd.DataFrame([{"item_id": "new-1", **item}]).to_parquet(tmp_path / "items.parquet")
    CatalogueVerbs(repository).add(tmp_path / "items.parquet")
    recommender = m2trec.load(repository)

    def is_available() -> tuple[bool, bool]:
        [described] = recommender.describe(["new-1"])
        [found] = [each for each in recommender.search("", top_k=2 * N_ITEMS) if each.item_id == "new-1"]
        assert described is not None
        return described.available, found.available

    assert is_available() == (True, True)
    monkeypatch.setattr("time.time", lambda: now + 100 * 366 * 86_400)
    assert is_available() == (False, False)


def test_a_run_a_link_a_configuration_and_an_export_are_opened(shop: Shop, tmp_path: Path) -> None:
    link, alone, settings = tmp_path / "current", tmp_path / "copy", tmp_path / "shop.yaml"
    link.symlink_to(shop.config.directory)
    shutil.copytree(shop.repository, alone)
    settings.write_text(yaml.safe_dump(shop.config.model_dump(mode="json")))
    answers = [
        unnamed(m2trec.load(path).recommend(["sku-3"]))
        for path in (shop.config.directory, str(link), alone, settings)
    ]
    assert answers[1:] == answers[:-1] and len(answers[0].item_ids) == 5
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match="holds no Triton model 'm2trec': run `m2trec export` first"):
        m2trec.load(tmp_path / "empty")
    with pytest.raises(ArtifactError, match="nothing: no such file or folder; `m2trec runs` lists"):
        m2trec.load(tmp_path / "nothing")
    settings.write_text(yaml.safe_dump({**shop.config.model_dump(mode="json"), "work_dir": str(tmp_path)}))
    with pytest.raises(ArtifactError, match="triton is not there yet: run `m2trec export` first"):
        m2trec.load(settings)
    shutil.copytree(shop.repository, tmp_path / "second")
    with pytest.raises(ArtifactError, match=r"holds several exports \(copy, second\): name one"):
        m2trec.load(tmp_path)


def test_settings_that_the_export_does_not_have_are_told(shop: Shop, tmp_path: Path) -> None:
    settings = tmp_path / "shop.yaml"
    raw = shop.config.model_dump(mode="json")
    raw["serving"]["top_k"] = 7
    settings.write_text(yaml.safe_dump(raw))
    with pytest.warns(
        UserWarning, match="serving.top_k: exported with 5, configured is 7: not in effect until"
    ):
        assert len(m2trec.load(settings).recommend(["sku-3"]).item_ids) == 5


def test_raw_items_are_not_encoded_by_an_export_that_came_since(shop: Shop, tmp_path: Path) -> None:
    repository = Path(shutil.copytree(shop.repository, tmp_path / "triton"))
    recommender = m2trec.load(repository)
    (version_folder(repository, PREPROCESS) / "other.json").write_text("{}")
    seal(version_folder(repository, PREPROCESS))
    assert recommender.recommend(["sku-1"]).item_ids
    with pytest.raises(ServerError, match="was exported again since it was opened") as failed:
        recommender.recommend([{"product_name": "red bread"}])
    assert not isinstance(failed.value, RefusedError), "the request is not at fault"


def test_what_is_recalled_since_another_export_is_recommended_no_more(shop: Shop, tmp_path: Path) -> None:
    repository = Path(shutil.copytree(shop.repository, tmp_path / "triton"))
    recommender = m2trec.load(repository)
    (version_folder(repository, PREPROCESS) / "other.json").write_text("{}")
    seal(version_folder(repository, PREPROCESS))
    verbs = CatalogueVerbs(repository)
    verbs.hide(["sku-3"])
    verbs.remove(["sku-4"])
    answer = recommender.recommend(["sku-4"], top_k=N_ITEMS)
    assert {*answer.item_ids} == {f"sku-{number}" for number in range(N_ITEMS)} - {"sku-3", "sku-4"}
    assert answer.about.catalogue == "0" and answer.about.model == recommender.model
    assert [item and item.available for item in recommender.describe(["sku-3", "sku-5"])] == [False, True]


IMPORT = "import sys, m2trec_merlin; assert m2trec_merlin.__version__; print(*sys.modules)"
RECOMMEND = """
import sys, threading
import m2trec_merlin as m2trec
recommender = m2trec.load(sys.argv[1])
assert recommender.recommend(["sku-1"]).item_ids
assert recommender.similar("sku-1").item_ids
assert threading.active_count() == 1
print(*sys.modules)
"""
BOTH = """
import sys
import m2trec_merlin as m2trec
recommender = m2trec.load(sys.argv[1])
assert recommender.recommend([{"product_name": "red bread"}]).item_ids
assert m2trec.evaluate(sys.argv[1], [["sku-1", "sku-2"]])
"""


def test_importing_loads_nothing_and_recommending_nothing_heavy(shop: Shop) -> None:
    assert modules_of(IMPORT) & ({"numpy", "pyarrow", "onnxruntime"} | HEAVY) == set()
    assert modules_of(RECOMMEND, str(shop.config.directory)) & HEAVY == set()


@pytest.mark.slow
def test_all_of_it_works_in_one_process_without_a_word(shop: Shop) -> None:
    # Python 3.12 warns of an escape in stringcase, which Merlin imports, when it compiles that first.
    quiet = "ignore::SyntaxWarning"
    command = [sys.executable, "-W", quiet, "-c", BOTH, str(shop.config.directory)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_onnx_runtime_it_says_what_to_install(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'm2trec-merlin\[serve\]'"):
        m2trec.load(shop.config.directory)


def test_what_is_not_offered_is_no_attribute() -> None:
    assert {"load", "evaluate", "LocalRecommender", "__version__"} <= set(dir(m2trec))
    with pytest.raises(AttributeError, match="has no attribute 'recommend'"):
        getattr(m2trec, "recommend")  # noqa: B009
