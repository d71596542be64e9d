from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from m2trec_merlin.errors import ServerError
from m2trec_merlin.library.local import LocalRecommender
from m2trec_merlin.serving.runtime.bounds import MOST_BYTES, MOST_EVENTS
from m2trec_merlin.serving.runtime.options import OPTIONS
from m2trec_merlin.web import app as web
from m2trec_merlin.web.app import build_app

NEW_BREAD = {"product_name": "red bread", "department": "bakery", "price": 3}
ASKED: list[tuple[list[Any], dict[str, Any]]] = [
    (["sku-1", "sku-2"], {}),
    ([], {"explain": True}),
    (["sku-1", NEW_BREAD], {"top_k": 3, "explain": True}),
    (["sku-1", "no such id"], {"exclude": ["what?"], "exclude_session_items": True}),
    (["sku-2"], {"filters": {"department": ["dairy"], "price": {"max": 15}}, "new_item_boost": 2}),
    (["sku-2"], {"filters": {"department": []}}),
    (
        ["sku-3"],
        {"candidates": ["sku-1", {"item_id": "x", **NEW_BREAD}], "diversity": {"by": "tags", "most": 1}},
    ),
]


@pytest.fixture
def client(versions: dict[str, LocalRecommender]) -> Iterator[TestClient]:
    with TestClient(build_app(versions), "http://localhost", raise_server_exceptions=False) as client:
        yield client


def ask(client: TestClient, session: Any, options: Any = ()) -> Any:
    return client.post("/api/recommend", json={"session": session, "options": dict(options)})


def unnamed(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "about": {**answer["about"], "request_id": ""}}


@pytest.mark.parametrize(("session", "options"), ASKED, ids=range(len(ASKED)))
def test_answers_are_those_of_the_library(
    client: TestClient, versions: dict[str, LocalRecommender], session: list[Any], options: dict[str, Any]
) -> None:
    found = ask(client, session, options).json()["answers"]
    assert [each["version"] for each in found] == list(versions)
    for each, popularity in zip(found, (1, 0), strict=True):
        expected = versions["today"].recommend(session, **{"popularity": popularity, **options})
        assert unnamed(each["answer"]) == unnamed(json.loads(json.dumps(asdict(expected))))
        assert [item and item["item_id"] for item in each["items"]] == [
            item_id if item_id != "x" else None for item_id in expected.item_ids
        ]
        assert each["milliseconds"] > 0


def test_items_of_an_answer_have_titles_values_and_whether_they_are_new(client: TestClient) -> None:
    [today, _] = ask(client, ["sku-1"], {"candidates": ["sku-29"]}).json()["answers"]
    assert today["items"] == [
        {
            "item_id": "sku-29",
            "title": "green milk 4",
            "values": {"department": ["dairy"], "tags": ["local"], "price": [30.0]},
            "share": 0.0,
            "available": True,
        }
    ]


def test_warnings_and_refusals_name_their_fields(client: TestClient) -> None:
    [today, _] = ask(client, ["sku-1", "9"], {"exclude": ["8"]}).json()["answers"]
    unknown, excluded = today["messages"]
    assert unknown["field"] == "item_ids[1]" and unknown["text"].startswith("the catalogue has no item '9'")
    text = "'8' ignored, since the catalogue has no such item"
    assert excluded == {"field": "options.exclude", "text": text}
    [today, tomorrow] = ask(client, ["sku-1"], {"top_k": 0, "filters": {"x": 1}}).json()["answers"]
    assert today["answer"] is None and tomorrow["answer"] is None
    assert [message["field"] for message in today["messages"]] == ["options.top_k", "options.filters.x"]


def test_no_form_of_an_option_is_lost_or_crashes(client: TestClient) -> None:
    for option in OPTIONS:
        for value in (None, "x", 5, -1.5, [1, [2]], {"by": {}}, True):
            response = ask(client, ["sku-1"], {option.name: value})
            assert response.status_code == 200, (option.name, value)
            [today, _] = response.json()["answers"]
            refused = [message["field"] for message in today["messages"]]
            assert today["answer"] or refused[0].startswith(f"options.{option.name}"), (option.name, value)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"{", 400, "body: not valid JSON"),
        (b"\xff", 400, "body: not valid UTF-8"),
        (b"[]", 400, "session: expected a list"),
        (b'{"session": "sku-1", "options": {}}', 400, "session: expected a list"),
        (b'{"session": []}', 400, "options: expected an object"),
        (b'{"session": [null], "options": {}}', 400, "session[0]: expected an id or an object of attributes"),
        (b'{"session": [true], "options": {}}', 400, "session[0]: expected an id"),
        (b"[" * 100_000, 400, "nested deeper than 32"),
        (b" " * (MOST_BYTES + 1), 413, "more than 1,048,576 bytes"),
        (json.dumps({"session": [1] * (MOST_EVENTS + 1), "options": {}}).encode(), 400, "more than 10,000"),
    ],
)
def test_what_cannot_be_read_is_refused(client: TestClient, body: bytes, status: int, error: str) -> None:
    response = client.post("/api/recommend", content=body, headers={"content-type": "application/json"})
    assert response.status_code == status and error in response.json()["error"]


def test_items_to_describe_are_ids(client: TestClient) -> None:
    for wrong in ([["sku-1"]], [{"item_id": "sku-1"}]):
        response = client.post("/api/items", json={"item_ids": wrong})
        assert (response.status_code, response.json()) == (400, {"error": "item_ids[0]: expected an id"})


def test_forms_of_other_pages_are_refused(client: TestClient) -> None:
    response = client.post("/api/recommend", content=b"{}", headers={"content-type": "text/plain"})
    assert (response.status_code, response.json()) == (415, {"error": "expected application/json"})
    assert client.get("/api/recommend").status_code == 405


def test_one_version_may_fail_where_another_answers(
    client: TestClient, versions: dict[str, LocalRecommender], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions["tomorrow"], "answer", _refuse)
    today, tomorrow = ask(client, ["sku-1"]).json()["answers"]
    assert today["answer"]["item_ids"]
    assert tomorrow == {
        "version": "tomorrow",
        "answer": None,
        "messages": [{"field": "", "text": "not today"}],
    }


def _refuse(session: Any, options: Any) -> Any:
    from m2trec_merlin.errors import RefusedError

    raise RefusedError("not today")


def test_failures_of_the_recommender_are_one_message(
    client: TestClient, versions: dict[str, LocalRecommender], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(text: str, top_k: int) -> Any:
        raise ServerError("version 7 of the catalogue cannot be read")

    monkeypatch.setattr(versions["today"], "search", fail)
    response = client.get("/api/search")
    assert (response.status_code, response.json()) == (
        500,
        {"error": "version 7 of the catalogue cannot be read"},
    )


def test_search_values_and_items(client: TestClient) -> None:
    found = client.get("/api/search", params={"text": "RED brea", "top_k": 2}).json()["items"]
    assert [item["title"] for item in found] == ["red bread 4", "red bread 1"]
    for wrong in ("0", "101", "x", "-1", "٣", ""):
        response = client.get("/api/search", params={"top_k": wrong})
        assert response.json() == {"error": "top_k: expected a whole number from 1 to 100"}
    values = client.get("/api/values", params={"attribute": "tags", "text": "o"}).json()
    assert values == {"values": ["local", "organic"], "of": 2}
    response = client.get("/api/values", params={"attribute": "colour"})
    assert response.status_code == 400
    assert response.json()["error"].endswith("accepted: department, tags, price")
    items = client.post("/api/items", json={"item_ids": ["sku-3", "?"]}).json()["items"]
    assert items[0]["title"] == "white apple 3" and items[1] is None


def test_the_page_knows_who_answers_and_what_can_be_filled_in(
    client: TestClient, versions: dict[str, LocalRecommender]
) -> None:
    about = client.get("/api/about").json()
    model = versions["today"].model
    assert about["versions"] == [
        {"name": name, "model": model, "items": 30} for name in ("today", "tomorrow")
    ]
    assert list(about["options"]["properties"]) == [option.name for option in OPTIONS]
    assert all(each["description"] for each in about["options"]["properties"].values())
    assert list(about["item"]["properties"]) == ["product_name", "department", "tags", "price", "image"]
    assert about["item"]["properties"]["department"]["attribute"] == "department"
    assert "attribute" not in about["item"]["properties"]["product_name"]


def test_only_names_of_this_machine_are_answered(versions: dict[str, LocalRecommender]) -> None:
    client = TestClient(build_app(versions), "http://shop.example")
    assert client.get("/").status_code == 400
    for name in ("localhost:8010", "127.0.0.1"):
        assert client.get("/", headers={"host": name}).status_code == 200
    assert TestClient(build_app(versions, ["*"]), "http://shop.example").get("/").status_code == 200


def test_nothing_from_elsewhere_belongs_to_the_page(client: TestClient) -> None:
    for path in ("/", "/api/about", "/static/main.js", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    static = Path(web.__file__).parent / "static"
    for path in static.iterdir():
        text = path.read_text(encoding="utf-8")
        assert client.get(f"/static/{path.name}").text == text
        assert "innerHTML" not in text and "document.write" not in text
        assert "https://" not in text and "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/%2e%2e/app.py").status_code == 404
