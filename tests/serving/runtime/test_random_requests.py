"""Requests of any kind: each is answered or refused in words, and none leaves a trace in the next answer."""

from __future__ import annotations

import json
import math
import os
import random
from typing import Any

import numpy as np
import pytest

from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep, Tensors
from tests.worlds.shop import Shop

#: More of them: M2TREC_RANDOM_REQUESTS=10000 python -m pytest tests/serving/runtime/test_random_requests.py
REQUESTS, BATCH = int(os.environ.get("M2TREC_RANDOM_REQUESTS", "1000")), 25

COLUMNS = ["product_name", "department", "tags", "price", "image", "item_id", "colour", ""]
OPTIONS = ["top_k", "exclude", "exclude_session_items", "filters", "new_items", "new_item_boost", "topk"]
OPTIONS += ["request_id", "popularity", "diversity", "candidates", "explain"]
#: What clients of all languages write, and what breaks programs.
SCALARS: list[Any] = [
    *(None, True, False, 0, -0.0, 1, -1, 3, 20, 7.0, 12.5, 1e-9, 1e300, -1e300, 2**31, 2**53 + 1),
    *(2**63, -(2**64), 10**400, math.nan, math.inf, -math.inf),
    *("", " ", "7", "7.0", "007", "1e3", "nan", "None", "null", "inf", "True", " Produce ", "bakery"),
    *("sku-2", "sku-29", "sku-2 ", "organic|local", "|", "|||", "2024-01-05", "٣", "e\u0301", "\ud83d", "\0"),
    *("red apple 3", "\N{ZERO WIDTH JOINER}", "語" * 3000, "x" * 100_000, "'; --", '{"a": 1}'),
]  # fmt: skip
IDS = ["sku-0", "sku-2", "sku-29", "sku-30", "", " ", "7", "7.0", "SKU-2", "sku-2 ", "\0", "語", "x" * 10_000]
TEXTS = [
    "",
    "{}",
    "[]",
    "null",
    "3",
    '"x"',
    "{",
    "{'a': 1}",
    '{"a": 1}' * 2,
    "[" * 100_000,
    "\ufeff{}",
    "NaN",
    "[" * 40 + "]" * 40,
    '{"filters": ' * 40 + "1" + "}" * 40,
    '{"price": ' + "9" * 5000 + "}",
    '{"top_k": 1' + "0" * 99 + "}",
    "[1e" + "9" * 99 + "]",
    '{"product_name": "' + "y" * 2**20 + '"}',
]


def random_value(chance: random.Random, depth: int = 0) -> Any:
    form = chance.random()
    if depth < 3 and form < 0.15:
        return [random_value(chance, depth + 1) for _ in range(chance.choice([0, 1, 2, 3, 3, 3, 4]))]
    if form < 0.25:
        return [chance.choice([0.5, 1, 1e39, -2.5, "1", None]) for _ in range(3)]
    if depth < 3 and form < 0.32:
        keys = [*COLUMNS, "min", "max", "all", "not"]
        return {chance.choice(keys): random_value(chance, depth + 1) for _ in range(chance.randrange(3))}
    return chance.choice(SCALARS)


def random_object(chance: random.Random, keys: list[str]) -> str:
    if chance.random() < 0.1:
        return chance.choice(TEXTS)
    return json.dumps({key: random_value(chance) for key in chance.sample(keys, chance.randrange(1, 4))})


def random_options(chance: random.Random) -> str:
    if chance.random() < 0.3:
        bounds = {
            key: chance.choice(SCALARS) for key in chance.sample(["min", "max"], chance.randrange(1, 3))
        }
        random_filter = chance.choice([bounds, {"not": bounds}, random_value(chance)])
        return json.dumps(
            {
                "filters": {chance.choice(COLUMNS): random_filter},
                "diversity": chance.choice([None, {"by": chance.choice(COLUMNS[1:4]), "most": 2}]),
                "top_k": chance.choice([1, 5, 29, 10_000, 2**70]),
                "exclude": [chance.choice([*IDS, 7, 2**70]) for _ in range(chance.randrange(40))],
            }
        )
    if chance.random() < 0.5:
        return json.dumps(
            {
                "candidates": [random_candidate(chance) for _ in range(chance.choice([0, 1, 2, 2, 20]))],
                "explain": chance.random() < 0.5,
                "new_item_boost": chance.choice([0, 0, 2, -1000]),
                "exclude": chance.sample(IDS, 2),
            }
        )
    return random_object(chance, OPTIONS)


def random_candidate(chance: random.Random) -> Any:
    item_id = chance.choice([*IDS, 7, 2**70])
    if chance.random() < 0.5:
        return item_id
    described = {"department": chance.choice(["bakery", "no such", None, ""])}
    for column in chance.sample(COLUMNS, chance.randrange(3)):
        described[column] = chance.choice(SCALARS[:40])
    # Without an id, or one of no letter, it is refused.
    return {**described, "item_id": item_id or "mine"} if chance.random() < 0.98 else described


def random_request(chance: random.Random) -> dict[str, np.ndarray]:
    length = chance.choice([0, 1, 1, 2, 3, 10, 200])
    request = {"item_ids": _array([chance.choice(IDS) for _ in range(length)], chance)}
    if chance.random() < 0.7:
        length += chance.choice([0] * 9 + [1])
        said = [chance.choice(["", random_object(chance, COLUMNS)]) for _ in range(length)]
        request["item_attributes"] = _array(said, chance)
    if chance.random() < 0.5:
        request["options"] = _array([random_options(chance)], chance)
    return request


def _array(entries: list[str], chance: random.Random) -> np.ndarray:
    raw = [entry.encode(errors="replace") for entry in entries]
    if raw and chance.random() < 0.02:
        raw[0] = b"\xff\xfe"
    return np.array([raw], dtype=object).reshape(1, len(raw))


#: What programs send that know NumPy better than the contract.
ARRAYS = [
    np.zeros(()),
    np.zeros(0),
    np.zeros((1, 0)),
    np.zeros((1, 3)),
    np.zeros((2, 3), np.int64),
    np.zeros((1, 1), np.int64),
    np.full((1, 2), -(2**63)),
    np.full((1, 1), 2**63 - 1),
    np.array([[1, -1, 2]]),
    np.zeros((1, 1, 1), np.int64),
    np.array([["sku-2", "text"]]),
    np.array([[b"sku-2", None]], object),
    np.array([[b"sku-2"], [b"sku-3"]], object),
    np.array([[[b"sku-2"]]], object),
    np.array([[b""]], object),
    np.array([[b"{}"]], object),
    np.array([[b"PK\x03\x04" + b"\0" * 40]], object),
    np.array([[b"\xff" * 2**20]], object),
    np.array([[True, False]]),
]


def spoil(tensors: Tensors, chance: random.Random) -> Tensors:
    """Return other tensors: of wrong shape or type, missing, of another name, or with bytes changed."""
    spoiled, name = dict(tensors), chance.choice(sorted(tensors))
    how = chance.randrange(4)
    if how == 0:
        spoiled[name] = chance.choice(ARRAYS)
    elif how == 1:
        del spoiled[name]
    elif how == 2:
        spoiled[chance.choice(["colour", "", "rows", "item_ids"])] = chance.choice(ARRAYS)
    elif spoiled[name].dtype == object and spoiled[name].size:
        changed = bytearray(spoiled[name][0, 0] or b"?")
        for _ in range(chance.choice([1, 1, 8])):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        spoiled[name] = spoiled[name].copy()
        spoiled[name][0, 0] = bytes(changed[: chance.choice([len(changed), len(changed) // 2])])
    return spoiled


def answers(
    steps: tuple[PreprocessStep, PredictStep], requests: list[Any], chance: random.Random | None = None
) -> list[Tensors | M2TRecError]:
    """Answer by both steps; with `chance`, some of what goes over is spoiled, never the last."""
    read = steps[0].answer(requests)
    handed = [each for each in read if isinstance(each, dict)]
    if chance is not None:
        handed[:-1] = [spoil(each, chance) if chance.random() < 0.2 else each for each in handed[:-1]]
    given = iter(steps[1].answer(handed))
    return [next(given) if isinstance(each, dict) else each for each in read]


@pytest.fixture(scope="module")
def steps(shop: Shop) -> tuple[PreprocessStep, PredictStep]:
    return PreprocessStep(shop.preprocess), PredictStep(shop.predict)


def test_any_request_is_answered_or_refused_in_words(steps: tuple[PreprocessStep, PredictStep]) -> None:
    chance = random.Random(20)
    known = '{"product_name": "red apple 3", "department": "bakery", "price": 4, "image": [1, 2, 3]}'
    good = {
        "item_ids": np.array([[b"sku-2", b""]], dtype=object),
        "item_attributes": np.array([[b"", known.encode()]], dtype=object),
        "options": np.array([[b'{"request_id": "good"}']], dtype=object),
    }
    [expected] = answers(steps, [good])
    assert isinstance(expected, dict)
    answered = refused = explained = raw_candidates = 0
    for _ in range(REQUESTS // BATCH):
        requests = [random_request(chance) for _ in range(BATCH)]
        requests = [spoil(each, chance) if chance.random() < 0.15 else each for each in requests]
        *given, last = answers(steps, [*requests, good], chance)
        for answer in given:
            if isinstance(answer, dict):
                answered += 1
                scores, ids = answer["scores"][0], answer["recommended_ids"][0].tolist()
                assert np.isfinite(scores).all() and (np.diff(scores) <= 0).all()
                assert len(set(ids)) == len(ids) == len(scores)
                explained += len(answer["explanations"][0])
                raw_candidates += sum(title == b"" for title in answer["titles"][0])
            else:
                refused += 1
                assert isinstance(answer, M2TRecError) and 0 < len(str(answer)) < 10_000, str(answer)[:500]
        assert isinstance(last, dict) and last.keys() == expected.keys()
        for name, values in expected.items():
            if values.dtype == object:
                assert np.array_equal(last[name], values)
            else:
                assert np.allclose(last[name], values, rtol=1e-4, atol=1e-5)
    # Chance leaves enough of all.
    assert min(answered, refused) > REQUESTS // 10
    assert min(explained, raw_candidates) > REQUESTS // 50
