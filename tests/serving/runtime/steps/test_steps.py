from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.contract.checksums import seal
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.version import CATALOGUE_IDS, Description
from m2trec_merlin.errors import ArtifactError, ServerError
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep, Tensors
from tests.serving.runtime.asking import Asking
from tests.worlds.shop import Shop


def texts(*entries: str) -> np.ndarray:
    return np.array([[entry.encode() for entry in entries]], dtype=object)


@pytest.fixture(scope="module")
def preprocess(shop: Shop) -> PreprocessStep:
    return PreprocessStep(shop.preprocess)


@pytest.fixture(scope="module")
def predict(shop: Shop) -> PredictStep:
    return PredictStep(shop.predict)


def tensors(answer: Tensors | Exception) -> Tensors:
    assert isinstance(answer, dict), answer
    return answer


def test_steps_fit_each_other(preprocess: PreprocessStep, predict: PredictStep) -> None:
    [read] = preprocess.answer([{"item_ids": texts("sku-2", "what?"), "options": texts('{"top_k": 3}')}])
    [answer] = predict.answer([tensors(read)])
    assert tensors(answer)["recommended_ids"].shape == (1, 3)
    assert b"'what?'" in tensors(answer)["warnings"][0, 0]
    assert tensors(answer)["next_department"].shape == tensors(answer)["next_department_probabilities"].shape


def test_answers_keep_the_order_of_requests_around_faulty_ones(
    preprocess: PreprocessStep, predict: PredictStep
) -> None:
    good = {"item_ids": texts("sku-2")}
    reads = preprocess.answer([good, {"item_ids": texts("sku-2"), "item_attributes": texts()}, good])
    assert [isinstance(read, ServerError) for read in reads] == [False, True, False]
    options = ['{"top_k": 2}', '{"top_k": 0}', '{"filters": {"nothing": 1}}', '{"top_k": 4}']
    reads = preprocess.answer([{**good, "options": texts(text)} for text in options])
    assert [isinstance(read, ServerError) for read in reads] == [False, True, True, False]
    answers = predict.answer([tensors(reads[0]), tensors(reads[3])])
    assert [tensors(answer)["scores"].shape for answer in answers] == [(1, 2), (1, 4)]


def test_what_a_session_holds_is_left_out_however_long_ago(shop: Shop) -> None:
    """The model sees the last events alone, and offline the whole session is left out."""
    ask, most = Asking(shop), Description.open(shop.preprocess).max_length
    session = ["sku-1", *["sku-2", "sku-3"] * most]
    assert "sku-1" in ask(session).item_ids
    answer = ask(session, exclude_session_items=True)
    assert answer.item_ids and not {"sku-1", "sku-2", "sku-3"} & set(answer.item_ids)


def test_a_candidate_that_the_session_holds_by_its_attributes_is_left_out(shop: Shop) -> None:
    ask, mine = Asking(shop), {"item_id": "mine", "product_name": "oat milk"}
    candidates = [mine, "sku-1"]
    assert set(ask([mine], candidates=candidates).item_ids) == {"mine", "sku-1"}
    assert ask([mine], candidates=candidates, exclude_session_items=True).item_ids == ["sku-1"]


def test_options_are_checked_before_anything_is_encoded(
    preprocess: PreprocessStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(*arguments: object) -> None:
        raise AssertionError("encoded although the options are faulty")

    monkeypatch.setattr(preprocess.reader._new_items, "encode", encode)
    raw = {"item_ids": texts(""), "item_attributes": texts('{"product_name": "x"}')}
    [answer] = preprocess.answer([{**raw, "options": texts('{"topk": 1}')}])
    assert isinstance(answer, ServerError) and str(answer).startswith("options.topk: no such option")


def test_one_json_object_of_options_is_expected(preprocess: PreprocessStep) -> None:
    [answer] = preprocess.answer([{"item_ids": texts("sku-2"), "options": texts("{}", "{}")}])
    assert isinstance(answer, ServerError) and "expected one JSON object for the request, found 2" in str(
        answer
    )


def test_several_sessions_in_a_request_are_refused(preprocess: PreprocessStep) -> None:
    [answer] = preprocess.answer([{"item_ids": np.array([[b"sku-1"], [b"sku-2"]], dtype=object)}])
    assert isinstance(answer, ServerError) and "one session per request" in str(answer)


def test_half_a_character_spoils_no_request(preprocess: PreprocessStep, predict: PredictStep) -> None:
    titled = {"item_ids": texts(""), "item_attributes": texts(r'{"product_name": "tea \ud83d"}')}
    options = {"item_ids": texts("sku-2"), "options": texts(r'{"filters": {"department": "\udc00"}}')}
    answers = predict.answer([tensors(read) for read in preprocess.answer([titled, options])])
    assert all(tensors(answer)["scores"].shape[0] == 1 for answer in answers)


def test_text_that_is_no_utf8_is_refused(preprocess: PreprocessStep) -> None:
    [answer] = preprocess.answer([{"item_ids": np.array([[b"\xff\xfe"]], dtype=object)}])
    assert isinstance(answer, ServerError) and str(answer).startswith("item_ids: not valid UTF-8")


def test_answers_say_which_request_they_answer_and_from_what(
    preprocess: PreprocessStep, predict: PredictStep, shop: Shop
) -> None:
    good, named = {"item_ids": texts("sku-2")}, texts('{"request_id": "mine"}')
    requests = [good, good, {**good, "options": named}, {**good, "options": named}, good]
    reads = preprocess.answer(requests, ["", "of Triton", "", "of Triton", "x" * 129])
    assert isinstance(reads[4], ServerError) and "has 129 letters" in str(reads[4])
    said = [json.loads(tensors(answer)["about"][0, 0]) for answer in predict.answer(reads[:4])]  # type: ignore[arg-type]
    assert [each["request_id"] for each in said[1:]] == ["of Triton", "mine", "mine"]
    assert re.fullmatch("[0-9a-f]{32}", said[0]["request_id"])
    assert {(each["model"], each["catalogue"]) for each in said} == {(preprocess.model, "0")}


def test_two_exports_of_one_model_are_told_apart(predict: PredictStep, shop: Shop, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(shop.repository, tmp_path / "triton"))
    folder = version_folder(copy, "m2trec_predict")
    other = replace(Description.open(folder), defaults={"top_k": 3, "new_item_boost": 0.0})
    assert PredictStep(folder).model == predict.model
    other.write(folder)
    seal(folder)
    assert PredictStep(folder).model != predict.model


@pytest.mark.parametrize("name", ["m2trec_preprocess", "m2trec_predict"])
def test_missing_and_unknown_tensors_are_refused(
    preprocess: PreprocessStep, predict: PredictStep, name: str
) -> None:
    step = preprocess if name == "m2trec_preprocess" else predict
    missing, unknown = step.answer([{}, {"colour": texts("x"), **preprocess_or_ids(step, preprocess)}])
    assert isinstance(missing, ServerError) and "missing" in str(missing)
    assert isinstance(unknown, ServerError) and str(unknown).startswith("colour: no such tensor; accepted: ")


def preprocess_or_ids(step: object, preprocess: PreprocessStep) -> Tensors:
    ids = {"item_ids": texts("sku-2")}
    return ids if step is preprocess else tensors(preprocess.answer([ids])[0])


@pytest.mark.parametrize("damage", [b"", b"PAR1 and so on"])
def test_damaged_ids_are_named_before_they_are_read(shop: Shop, tmp_path: Path, damage: bytes) -> None:
    folder = version_folder(shutil.copytree(shop.repository, tmp_path / "triton"), PREPROCESS)
    (folder / CATALOGUE_IDS).write_bytes(damage)
    with pytest.raises(ArtifactError, match=r"item_ids\.parquet changed since the export"):
        PreprocessStep(folder)


def test_rows_of_another_export_are_refused(shop: Shop, tmp_path: Path) -> None:
    """As where an export was replaced while Triton ran, and one of the two steps was started again."""
    repository = Path(shutil.copytree(shop.repository, tmp_path / "triton"))
    folder = version_folder(repository, PREDICT)
    replace(Description.open(folder), items="of others").write(folder)
    seal(folder)
    first, second = PreprocessStep(shop.preprocess), PredictStep(folder)
    asked = {"item_ids": np.array([[b"sku-1"]], object)}
    [read] = first.answer([asked])
    assert isinstance(read, dict)
    [refused] = second.answer([read])
    assert "was handed rows of another export: start the server again" in str(refused)
    [answer] = PredictStep(shop.predict).answer([read])
    assert isinstance(answer, dict)
