"""What a worker counts and logs of known requests, without Triton."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m2trec_merlin.contract.metrics import SECONDS
from m2trec_merlin.contract.names import PREDICT
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.server_settings import ServerSettings
from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
from m2trec_merlin.serving.runtime.observing.observed import EnsembleStep, Tensors
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep
from m2trec_merlin.serving.runtime.tally import StepTally, Tally
from m2trec_merlin.serving.runtime.worker import Worker
from tests.serving.runtime.counted import Counted
from tests.worlds.shop import N_ITEMS, N_SEEN, Shop


def texts(*entries: str) -> np.ndarray:
    return np.array([[entry.encode() for entry in entries]], dtype=object)


REQUESTS = {
    "known": {"item_ids": texts("sku-1", "sku-2")},
    "unknown": {"item_ids": texts("nope", "", "sku-2")},
    "raw": {
        "item_ids": texts("sku-1", "new-1", ""),
        "item_attributes": texts("", '{"product_name": "red apple"}', '{"price": 3}'),
    },
    "refused": {"item_ids": texts("sku-1"), "options": texts('{"top_k": 0}')},
    "popular": {"item_ids": texts("nope")},
    "empty": {"item_ids": texts("sku-1"), "options": texts('{"filters": {"department": "no such"}}')},
    "everything": {"item_ids": texts("sku-1"), "options": texts(json.dumps({"top_k": N_ITEMS}))},
}


class Pipe:
    """What is written to a file descriptor."""

    def __init__(self) -> None:
        self._read, self.write = os.pipe()

    def lines(self) -> list[dict[str, Any]]:
        os.close(self.write)
        with os.fdopen(self._read) as file:
            return [json.loads(line) for line in file]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    yield Pipe()


def ask_both(shop: Shop, settings: ServerSettings) -> tuple[Counted, dict[str, Tensors]]:
    """Send all requests through both steps; return what was counted, and answers by request."""
    counted = Counted()
    first = Worker(PreprocessStep, shop.preprocess, settings, counted)
    second = Worker(PredictStep, shop.predict, settings, counted)
    ids = list(REQUESTS)
    read = first.answer(list(REQUESTS.values()), ids)
    good = {name: each for name, each in zip(ids, read, strict=True) if isinstance(each, dict)}
    answers = second.answer(list(good.values()), list(good))
    first.close(), second.close()
    return counted, {n: a for n, a in zip(good, answers, strict=True) if isinstance(a, dict)}


def test_known_requests_give_known_values(shop: Shop) -> None:
    counted, answers = ask_both(shop, ServerSettings())
    first, second = {"step": "m2trec_preprocess"}, {"step": "m2trec_predict"}
    requests = "m2trec_requests_total"
    assert counted.value(requests, outcome="answered", **first) == 6
    assert counted.value(requests, outcome="refused", **first) == 1
    assert counted.value(requests, outcome="answered", **second) == 6
    assert counted.value("m2trec_ids_total") == 2 + 2 + 2 + 1 + 1 + 1
    assert counted.value("m2trec_unknown_ids_total") == 3
    assert counted.value("m2trec_raw_items_total") == 2
    assert counted.value("m2trec_fallback_answers_total") == 1
    assert counted.value("m2trec_empty_answers_total") == 1
    assert counted.value("m2trec_recommended_total") == 4 * 5 + 0 + N_ITEMS
    shown = [item for answer in answers.values() for item in answer["recommended_ids"][0].tolist()]
    new = sum(int(item.decode().removeprefix("sku-")) >= N_SEEN for item in shown)
    assert counted.value("m2trec_recommended_new_total") == new >= N_ITEMS - N_SEEN
    assert counted.value(SECONDS.series[2], **first) == 7
    assert counted.value("m2trec_catalogue_items") == N_ITEMS
    models = {dict(labels)["model"] for _, labels in counted.values}
    assert len(models) == 1 and models == {PreprocessStep(shop.preprocess).model}


def test_each_request_leaves_one_line_or_only_those_refused(shop: Shop, pipe: Pipe) -> None:
    ask_both(shop, ServerSettings("all", pipe.write))
    said = {line["request_id"]: line for line in pipe.lines()}
    assert list(said) == ["refused", *(name for name in REQUESTS if name != "refused")]
    assert said["refused"]["error"].startswith("options.top_k") and said["refused"]["event"] == "refused"
    assert said["known"]["recommended"] == 5 and said["known"]["warnings"] == []
    assert "'nope'" in said["unknown"]["warnings"][0]
    only_faulty = Pipe()
    ask_both(shop, ServerSettings("faulty", only_faulty.write))
    assert [line["request_id"] for line in only_faulty.lines()] == ["refused"]


def test_lines_call_a_request_as_its_answer_does(shop: Shop, pipe: Pipe) -> None:
    named, wrong = texts('{"request_id": "mine"}'), texts('{"request_id": "mine", "top_k": 0}')
    ids = {"item_ids": texts("sku-1")}
    asked = [{**ids, "options": named}, {**ids, "options": wrong}, {**ids, "options": texts("{")}, ids]
    first = Worker(PreprocessStep, shop.preprocess, ServerSettings("all", pipe.write), Counted())
    second = Worker(PredictStep, shop.predict, ServerSettings("all", pipe.write), Counted())
    read = first.answer(asked, ["", "of Triton", "of Triton", ""])
    answers = second.answer([each for each in read if isinstance(each, dict)], ["", ""])
    first.close(), second.close()
    told = [json.loads(each["about"].item())["request_id"] for each in answers if isinstance(each, dict)]
    assert told[0] == "mine" and len(told[1]) == 32
    assert [line["request_id"] for line in pipe.lines()] == ["mine", "of Triton", *told]


def test_a_refusal_of_the_second_step_is_logged_and_counted(shop: Shop, pipe: Pipe) -> None:
    counted = Counted()
    worker = Worker(PredictStep, shop.predict, ServerSettings("faulty", pipe.write), counted)
    inputs = {"rows": np.array([[10_000]]), "new_items": texts(""), "checked": texts("{}")}
    [answer] = worker.answer([inputs], ["x"])
    worker.close()
    assert isinstance(answer, ServerError)
    [line] = pipe.lines()
    assert (line["request_id"], line["step"]) == ("x", "m2trec_predict")
    assert counted.value("m2trec_requests_total", outcome="refused") == 1


class Failing:
    """A step whose disk fails."""

    name, model = PREDICT, "v1"

    def __init__(self, folder: Path, tally: Tally, in_background: bool) -> None:
        self.tally = StepTally(tally, self.name, self.model)

    def answer(self, requests: Sequence[Any], request_ids: Sequence[str] | None = None) -> Any:
        raise OSError(5, "Input/output error")

    def close(self) -> None:
        pass


def test_failures_that_nobody_foresaw_are_counted_and_logged(shop: Shop, pipe: Pipe) -> None:
    counted = Counted()
    worker = Worker(Failing, shop.predict, ServerSettings("faulty", pipe.write), counted)
    with pytest.raises(OSError, match="Input/output error"):
        worker.answer([{}, {}], ["x", "y"])
    worker.close()
    assert [line["event"] for line in pipe.lines()] == ["failed", "failed"]
    assert counted.value("m2trec_requests_total", outcome="failed") == 2


def test_lines_that_cannot_be_written_are_counted_as_lost(shop: Shop) -> None:
    counted = Counted()
    reading, writing = os.pipe()
    os.close(reading)
    worker = Worker(Failing, shop.predict, ServerSettings("faulty", writing), counted)
    with pytest.raises(OSError, match="Input/output error"):
        worker.answer([{}, {}], ["x", "y"])
    worker.close()
    os.close(writing)
    assert counted.value("m2trec_log_dropped_total", log="lines") == 2


def test_counters_are_exposed_before_the_first_request(shop: Shop) -> None:
    counted = Counted()
    step: Callable[[Path, Tally], EnsembleStep] = PredictStep
    Worker(step, shop.predict, ServerSettings(), counted).close()
    assert counted.value("m2trec_recommended_total") == 0


def test_a_new_catalogue_is_exposed_without_a_request(shop: Shop, tmp_path: Path) -> None:
    repository, tally, counted = tmp_path / "triton", Tally(), Counted()
    shutil.copytree(shop.repository, repository)
    step = PredictStep(version_folder(repository, PREDICT), tally)

    def in_use() -> list[str]:
        tally.publish(counted)
        info = [
            (dict(own), v) for (name, own), v in counted.values.items() if name == "m2trec_catalogue_info"
        ]
        return [own["catalogue"] for own, value in info if value == 1]

    assert in_use() == [f"{step.model}/0"]
    assert CatalogueVerbs(repository).remove(["sku-1"]).number == 1
    # As the thread of a server does.
    step.recommender.catalogues.served()
    assert in_use() == [f"{step.model}/1"]
    assert counted.value("m2trec_catalogue_items") == N_ITEMS - 1
