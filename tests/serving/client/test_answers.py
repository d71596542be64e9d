from __future__ import annotations

import json

import numpy as np
import pytest

from m2trec_merlin.contract.about import About
from m2trec_merlin.contract.explanation import Explanation
from m2trec_merlin.errors import NoAnswerError, RefusedError, ServerError
from m2trec_merlin.serving.client.answers import explain, explain_failure, parse_answer


def test_outputs_become_recommendations() -> None:
    outputs = {
        "recommended_ids": np.array([b"a", b"b"], object),
        "titles": np.array([b"Tea", "Café".encode()], object),
        "scores": np.array([2.0, 1.5], np.float32),
        "next_aisle": np.array([b"drinks"], object),
        "next_aisle_probabilities": np.array([0.75], np.float32),
        "warnings": np.array([], object),
        "about": np.array([b'{"request_id": "r-1", "model": "m", "catalogue": "0", "later": 1}'], object),
    }
    answer = parse_answer(outputs)
    assert answer.item_ids == ["a", "b"] and answer.titles == ["Tea", "Café"] and answer.scores == [2.0, 1.5]
    assert answer.categories == {"aisle": [("drinks", 0.75)]} and answer.warnings == []
    assert answer.about == About("r-1", "m", "0") and answer.explanations == []


def test_explanations_come_typed() -> None:
    said = {"event": 1, "event_fall": 0.5, "attribute": "aisle", "attribute_fall": 0.25}
    said |= {"by": "metadata", "falls": {"metadata": 2.0}, "later": 1}
    outputs = {
        **{name: np.array([b"a"], object) for name in ("recommended_ids", "titles", "warnings")},
        "scores": np.array([2.0], np.float32),
        "about": np.array([b'{"request_id": "r-1", "model": "m", "catalogue": "0"}'], object),
        "explanations": np.array([json.dumps(said).encode()], object),
    }
    expected = Explanation(1, 0.5, "aisle", 0.25, "metadata", {"metadata": 2.0})
    assert parse_answer(outputs).explanations == [expected]
    assert Explanation.from_json(expected.to_json()) == expected


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        ("INVALID_ARGUMENT", RefusedError, "the server refused the request: options.top_k: wrong"),
        ("DEADLINE_EXCEEDED", NoAnswerError, "the server at h:1 gave no answer within 2.5 seconds"),
    ],
)
def test_a_status_says_what_to_do(status: str, kind: type[ServerError], message: str) -> None:
    error = explain(status, "in ensemble 'm2trec', options.top_k: wrong", "h:1", 2.5)
    assert type(error) is kind and str(error) == message


@pytest.mark.parametrize(
    "told",
    [
        "unexpected inference input 'event_attributes' for model 'm2trec'",
        "expected number of inputs between 1 and 3 but got 4 inputs for model 'm2trec'. Got input(s) "
        "['event_attributes','options','item_attributes','item_ids'], but missing required input(s) ]. "
        "Please provide all required input(s).",
    ],
)
def test_attributes_of_events_for_a_model_without_any_are_named(told: str) -> None:
    told = f"[request id: <id_unknown>] {told}"
    error = explain("INVALID_ARGUMENT", told, "h:1", 2.5)
    assert type(error) is RefusedError and str(error) == (
        "the server refused the request: event_attributes: no such tensor; this model was trained without "
        "attributes of events: leave them out"
    )
    error = explain("INVALID_ARGUMENT", told.replace("event_attributes", "colour"), "h:1", 2.5)
    assert str(error).startswith("the server refused the request: [request id: ") and "colour" in str(error)


def test_other_statuses_depend_on_whether_a_server_is_there() -> None:
    assert explain("UNAVAILABLE", "refused", "h:1", 1) is None
    there = explain_failure("INTERNAL", "broken", "h:1", is_live=True, encrypted=False)
    assert type(there) is ServerError and str(there) == "the server at h:1 failed (INTERNAL): broken"
    gone = explain_failure("UNAVAILABLE", "refused", "h:1", is_live=False, encrypted=False)
    assert type(gone) is NoAnswerError and str(gone).startswith("no server answers at h:1: start one with ")
    secret = explain_failure("UNAVAILABLE", "handshake", "h:1", is_live=False, encrypted=True)
    assert str(secret).endswith("that it takes TLS, and that either side trusts the other's certificate")
