from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m2trec_merlin.contract.identity import export_version
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.server_settings import ServerSettings
from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
from m2trec_merlin.serving.runtime.observing.observed import Answers
from m2trec_merlin.serving.runtime.side_by_side import falls_within
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep
from m2trec_merlin.serving.runtime.worker import Worker
from tests.serving.runtime.counted import Counted
from tests.worlds.shop import N_ITEMS, Shop

SHARE = 0.4


def asked(**options: Any) -> dict[str, np.ndarray]:
    texts = {"item_ids": [b"sku-1", b"sku-2"], "options": [json.dumps(options).encode()]}
    return {name: np.array([entries], dtype=object) for name, entries in texts.items()}


class Both:
    """Both steps as workers run them."""

    def __init__(self, shop: Shop, settings: ServerSettings) -> None:
        self.counted = Counted()
        self.first = Worker(PreprocessStep, shop.preprocess, settings, self.counted)
        self.second = Worker(PredictStep, shop.predict, settings, self.counted)

    def answer(self, requests: list[dict[str, np.ndarray]]) -> list[Any]:
        read = self.first.answer(requests, [""] * len(requests))
        good = [each for each in read if isinstance(each, dict)]
        answers = iter(self.second.answer(good, [""] * len(good)))
        return [next(answers) if isinstance(each, dict) else each for each in read]

    def close(self) -> None:
        self.first.close(), self.second.close()


def scores(answers: Answers) -> list[list[float]]:
    return [each["scores"][0].tolist() for each in answers if isinstance(each, dict)]


@pytest.fixture
def both(shop: Shop, other_shop: Shop) -> Iterator[Both]:
    running = Both(shop, ServerSettings(beside=str(other_shop.repository), share=SHARE))
    yield running
    running.close()


@pytest.fixture(scope="module")
def alone(shop: Shop, other_shop: Shop) -> list[list[float]]:
    """What each of the two answers to the same session."""
    found = []
    for each in (shop, other_shop):
        single = Both(each, ServerSettings())
        found += scores(single.answer([asked()]))
        single.close()
    assert found[0] != found[1]
    return found


def test_each_key_is_answered_by_one_of_them(
    both: Both, alone: list[list[float]], shop: Shop, other_shop: Shop
) -> None:
    keys = [f"visitor-{number}" for number in range(40)]
    expected = [alone[falls_within(key, SHARE)] for key in keys]
    together = scores(both.answer([asked(session_key=key) for key in keys]))
    np.testing.assert_allclose(together, expected, rtol=1e-5)
    one_by_one = [scores(both.answer([asked(session_key=key)]))[0] for key in keys[:5]]
    np.testing.assert_allclose(one_by_one, expected[:5], rtol=1e-5)
    both.close()
    second = sum(falls_within(key, SHARE) for key in [*keys, *keys[:5]])
    for each, requests in ((shop, 45 - second), (other_shop, second)):
        labels = {"model": export_version(each.repository), "step": "m2trec_predict", "outcome": "answered"}
        assert both.counted.value("m2trec_requests_total", **labels) == requests


def test_without_a_key_the_first_one_answers(both: Both, alone: list[list[float]]) -> None:
    requests = [asked(), asked(session_key=None), {"item_ids": asked()["item_ids"]}]
    np.testing.assert_allclose(scores(both.answer(requests)), [alone[0]] * 3, rtol=1e-5)


@pytest.mark.parametrize(
    "options", [b"{", b"[]", b"\xff", b'{"session_key": []}', b'{"session_key": true}', b"[" * 100_000]
)
def test_what_cannot_be_read_is_refused_as_ever(both: Both, options: bytes) -> None:
    bad = {**asked(), "options": np.array([[options]], dtype=object)}
    good, refused, again = both.answer([asked(session_key="a"), bad, asked(session_key="a")])
    assert isinstance(refused, ServerError) and str(refused).startswith("options")
    assert good["scores"].tolist() == again["scores"].tolist()


def test_a_number_and_its_text_are_one_key(both: Both) -> None:
    for key in range(20):
        number, text = scores(both.answer([asked(session_key=key), asked(session_key=str(key))]))
        np.testing.assert_allclose(number, text, rtol=1e-6)


def test_the_second_step_goes_by_the_stamp(both: Both, alone: list[list[float]]) -> None:
    key = next(str(number) for number in range(100) if falls_within(str(number), SHARE))
    [read] = both.first.answer([asked(session_key=key)], [""])
    assert isinstance(read, dict)
    said = json.loads(read["checked"].item())
    assert list(said) == ["version", "made_of", "options", "notes", "request_id", "catalogue"]
    # Whatever the options say: the rows are those of the version that read the session.
    said["options"]["session_key"] = None
    moved = {**read, "checked": np.array([[json.dumps(said).encode()]], dtype=object)}
    np.testing.assert_allclose(scores(both.second.answer([moved], [""])), [alone[1]], rtol=1e-5)


def test_copies_of_an_export_have_catalogues_of_their_own(shop: Shop, tmp_path: Path) -> None:
    changed = Path(shutil.copytree(shop.repository, tmp_path / "changed"))
    CatalogueVerbs(changed).hide(["sku-3"])
    settings = ServerSettings(beside=str(shop.repository), share=1.0)
    workers = [
        Worker(step, version_folder(changed, step.name), settings, Counted())
        for step in (PreprocessStep, PredictStep)
    ]
    served = []
    for options in ({"top_k": N_ITEMS}, {"top_k": N_ITEMS, "session_key": "a"}):
        answer = asked(**options)
        for worker in workers:
            [answer] = worker.answer([answer], [""])  # type: ignore[assignment]
        served.append(b"sku-3" in answer["recommended_ids"][0].tolist())
    assert served == [False, True]
    for worker in workers:
        worker.close()


def test_shares_are_kept_and_only_grow() -> None:
    keys = [f"visitor-{number}" for number in range(10_000)]
    small, large = ([falls_within(key, share) for key in keys] for share in (0.1, 0.3))
    assert abs(np.mean(small) - 0.1) < 0.01 and abs(np.mean(large) - 0.3) < 0.015
    assert not any(was and not still for was, still in zip(small, large, strict=True))
    assert not any(falls_within(key, 0.0) for key in keys) and all(falls_within(key, 1.0) for key in keys)
