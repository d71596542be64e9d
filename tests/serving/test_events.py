"""Attributes of events from the interactions to requests: training, evaluation and serving say the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import m2trec_merlin as m2trec
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.data.preparation import prepare_data
from m2trec_merlin.errors import RefusedError
from m2trec_merlin.evaluation.known import known_before
from m2trec_merlin.evaluation.protocol import Setup, describe_protocol
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.evaluation.run import our_scorers
from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.model.storage import load_model
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.runs import Run
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.serving.client import AsyncRecommendationClient, RecommendationClient
from m2trec_merlin.serving.client.requests import build_request
from m2trec_merlin.serving.export.description import describe_events
from m2trec_merlin.serving.export.run import export
from m2trec_merlin.serving.replay import answer_again
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
from m2trec_merlin.sessions import Prefixes, Sessions, event_fields
from m2trec_merlin.training.run import train
from tests.worlds.events import events_config, make_events

TARGETS = {"column": "event", "values": ["buy", "cart"]}
#: With neighbours, which are shown rows alone.
MIXTURE = {"mixture": {"kind": "fixed", "by_id": 1.0, "content": 0.5}}


@dataclass(frozen=True)
class Eventful:
    run: Run
    catalogue: Catalogue
    scorer: ItemScorer
    prefixes: Prefixes
    raw: pd.DataFrame
    recommender: m2trec.LocalRecommender

    def asked(self, index: int) -> list[dict[str, Any]]:
        """A prefix of a test session, as a client would send it."""
        sessions = self.raw.groupby("session_id", sort=False)
        name = self.names[self.prefixes.session[index]]
        events = sessions.get_group(name).iloc[: self.prefixes.length[index]]
        columns = ["event", "paid", "flags", "time"]
        values = json.loads(events[columns].to_json(orient="records"))
        return [
            {"item_id": item, "event_attributes": said}
            for item, said in zip(events["item_id"], values, strict=True)
        ]

    @property
    def names(self) -> list[str]:
        parts = sorted(self.run.sessions("test").iterdir())
        return [name for part in parts for name in pd.read_parquet(part)["session_id"]]

    def expected(self, index: int) -> tuple[list[str], np.ndarray]:
        """The best items for it, by the model itself."""
        scores = self.scorer.score(self.prefixes.take(np.array([index])))[0]
        best = np.argsort(-scores, kind="stable")[:20]
        return [str(i) for i in self.catalogue.item_ids[best]], scores[best]


@pytest.fixture(scope="module")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> Eventful:
    folder = tmp_path_factory.mktemp("eventful")
    raw = make_events()
    config = events_config(folder, raw, data={"targets": TARGETS}, serving=MIXTURE)
    prepare_data(config)
    preprocess(config)
    train(config)
    export(config)
    run = Run(config)
    catalogue = Catalogue.load(run.catalogue)
    scorer = our_scorers(run, catalogue, known_before(run, catalogue))[-1]
    assert isinstance(scorer, ItemScorer)
    prefixes = Sessions.load(run.sessions("test")).prefixes()
    return Eventful(run, catalogue, scorer, prefixes, raw, m2trec.load(config.directory))


def test_times_are_described_as_they_were_read_whatever_became_of_the_table(tmp_path: Path) -> None:
    raw = make_events()
    raw["When"] = pd.to_datetime(raw.pop("time"), unit="s").dt.strftime("%Y-%m-%dT%H:%M:%S")
    config = events_config(tmp_path, raw, data={"columns": {"order": "When"}, "options": {}})
    prepare_data(config)
    preprocess(config)
    (tmp_path / "events.csv").unlink()
    run = Run(config)
    catalogue = Catalogue.load(run.catalogue)
    fields = event_fields(sorted(run.sessions("train").glob("*.parquet")))
    model = build_model(config, catalogue, events=fields)
    assert describe_events(run, model)[1] == {"column": "When", "format": "ISO8601"}


def sampled(eventful: Eventful) -> np.ndarray:
    """Some short ones, and the longest, which are cut."""
    return np.unique(
        np.append(np.arange(0, len(eventful.prefixes), 5), np.argsort(eventful.prefixes.length)[-3:])
    )


def test_answers_are_those_of_evaluation(eventful: Eventful) -> None:
    places = sampled(eventful)
    assert eventful.prefixes.length[places].max() > 4 and len(places) > 5
    answers = eventful.recommender.recommend_many([eventful.asked(place) for place in places], top_k=20)
    for place, answer in zip(places, answers, strict=True):
        items, scores = eventful.expected(int(place))
        np.testing.assert_allclose(answer.scores, scores, rtol=1e-4, atol=1e-4)
        assert answer.item_ids == items
        assert not answer.warnings


def test_attributes_of_events_change_answers(eventful: Eventful) -> None:
    asked = eventful.asked(int(np.argmax(eventful.prefixes.length)))
    plain = [{"item_id": item["item_id"]} for item in asked]
    told, untold = (eventful.recommender.recommend(each, top_k=20) for each in (asked, plain))
    assert not np.allclose(sorted(told.scores), sorted(untold.scores), atol=1e-6)


def test_what_a_request_leaves_out_is_missing(eventful: Eventful) -> None:
    """Whether of all events, of some, or of some columns: as an event of which nothing is known."""
    ids = ["sku-3", "sku-5", "sku-7"]
    nothing = {"event": None, "paid": None, "flags": None, "time": None}
    ways: list[list[Any]] = [
        ids,
        [{"item_id": i, "event_attributes": {}} for i in ids],
        [{"item_id": i, "event_attributes": nothing} for i in ids],
        [ids[0], {"item_id": ids[1], "event_attributes": {"event": None}}, ids[2]],
    ]
    first, *others = (eventful.recommender.recommend(way, top_k=20) for way in ways)
    for other in others:
        assert other.item_ids == first.item_ids and not other.warnings
        np.testing.assert_allclose(other.scores, first.scores, atol=1e-5)


def test_unknown_values_and_columns_are_warned_of(eventful: Eventful) -> None:
    said = {"event": "share", "paid": "much", "flags": {}, "time": "noon", "colour": 1}
    answer = eventful.recommender.recommend(["sku-1", {"item_id": "sku-2", "event_attributes": said}])
    assert answer.warnings == [
        "event_attributes[1]: ignored 'colour'; the model reads event, paid, flags, time",
        "event_attributes[1]: time 'noon' is not a time (s), so it counts as missing",
        "event_attributes[1]: event_type: the model does not know 'share', so nothing is concluded from it",
        "event_attributes[1]: paid 'much' is not a finite number, so it counts as missing",
        "event_attributes[1]: flags {} is neither a value nor a list of values, so it counts as missing",
    ]


@pytest.mark.parametrize("time", [{"a": 1}, [1], True, 1e400, 10**30, "", "NaN", -1e300])
def test_what_is_no_time_is_warned_of_and_missing(eventful: Eventful, time: object) -> None:
    said = {"item_id": "sku-2", "event_attributes": {"time": time, "paid": 2.0}}
    untold = {"item_id": "sku-2", "event_attributes": {"paid": 2.0}}
    answer, other = (eventful.recommender.recommend([each]) for each in (said, untold))
    [warning] = answer.warnings
    assert warning.startswith("event_attributes[0]: time ") and "is not a time (s), so it counts" in warning
    np.testing.assert_allclose(answer.scores, other.scores, atol=1e-5)


def steps(eventful: Eventful) -> tuple[PreprocessStep, PredictStep]:
    folders = (version_folder(eventful.run.triton, name) for name in (PREPROCESS, PREDICT))
    first, second = folders
    return PreprocessStep(first), PredictStep(second, in_background=False)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (np.array([[b"", b'{"event": ']], object), r"event_attributes\[1\]: not valid JSON"),
        (
            np.array([[b"[1]", b""]], object),
            r"event_attributes\[0\]: expected a JSON object with any of event, paid",
        ),
        (np.array([[b"{}"]], object), "event_attributes has 1 positions and item_ids 2"),
        (np.array([[1.5, 2.0]]), r"event_attributes: expected texts \(BYTES\), found float64"),
        (np.array([b"", b""], object), r"event_attributes: expected shape \[1, ...\], found \[2\]"),
        (np.array([[b"\xff", b""]], object), "event_attributes: not valid UTF-8"),
    ],
)
def test_wrong_requests_are_refused_by_the_name_of_the_field(eventful: Eventful, said, problem: str) -> None:
    first, _ = steps(eventful)
    asked = build_request(["sku-1", "sku-2"])
    good = {**asked, "event_attributes": np.array([[b'{"event": "view"}', b""]], object)}
    [refused, answered] = first.answer([{**asked, "event_attributes": said}, good])
    with pytest.raises(Exception, match=problem):
        raise refused  # type: ignore[misc]
    assert isinstance(answered, dict)


def test_the_second_step_takes_events_of_the_session_only(eventful: Eventful) -> None:
    first, second = steps(eventful)
    said = np.array([[b'{"event": "view"}', b""]], object)
    asked = build_request(["sku-1", "sku-2"])
    [handed] = first.answer([{**asked, "event_attributes": said}])
    assert isinstance(handed, dict)
    shorter = {**handed, "rows": handed["rows"][:, :1]}
    [refused] = second.answer([shorter])
    assert "events are not the 1 of rows" in str(refused)


def test_what_was_logged_is_answered_again_alike(eventful: Eventful) -> None:
    asked = eventful.asked(int(np.argmax(eventful.prefixes.length)))
    logged = {
        "item_ids": [item["item_id"] for item in asked],
        "item_attributes": [],
        "event_attributes": [json.dumps(item["event_attributes"]) for item in asked],
        "options": '{"top_k": 20}',
    }
    older = {name: value for name, value in logged.items() if name != "event_attributes"}
    again, untold = answer_again(*steps(eventful), [logged, older])
    assert again == eventful.recommender.recommend(asked, top_k=20).item_ids
    assert untold == eventful.recommender.recommend(logged["item_ids"], top_k=20).item_ids  # type: ignore[arg-type]


def test_an_event_that_is_left_out_takes_its_attributes_along(eventful: Eventful) -> None:
    asked = eventful.asked(int(np.argmax(eventful.prefixes.length)))[-3:]
    full = eventful.recommender.recommend(asked, top_k=24, explain=True)
    without = eventful.recommender.recommend(asked[:2], top_k=24)
    left = dict(zip(without.item_ids, without.scores, strict=True))
    # The gap of an event is told from the one before it, so only the last one can go without a trace.
    last = [n for n, reason in enumerate(full.explanations) if reason.event == 2]
    assert last
    for number in last:
        fall = full.scores[number] - left[full.item_ids[number]]
        assert fall == pytest.approx(full.explanations[number].event_fall, abs=1e-4)


def test_own_sessions_are_measured_as_those_of_a_split(eventful: Eventful) -> None:
    names = eventful.names
    own = eventful.raw[eventful.raw["session_id"].isin(names)].rename(columns={"time": "timestamp"})
    measured = {
        m.metric: m for m in m2trec.evaluate(eventful.run.directory, own) if m.slice == "All" and m.k == 20
    }
    assert measured["HIT"].n == len(eventful.prefixes)
    ranks = []
    for index in range(len(eventful.prefixes)):
        scores = eventful.scorer.score(eventful.prefixes.take(np.array([index])))[0]
        ranks.append(int((scores >= scores[eventful.prefixes.targets[index]]).sum()))
    assert measured["HIT"].value == pytest.approx(np.mean(np.array(ranks) <= 20), abs=1e-6)
    assert measured["MRR"].value == pytest.approx(
        np.mean(np.where(np.array(ranks) <= 20, 1 / np.array(ranks), 0))
    )
    moments = pd.to_datetime(own["timestamp"], unit="s")
    for times in (moments, moments.astype(str), moments.dt.strftime("%Y-%m-%dT%H:%M:%S+00:00")):
        # Written otherwise than the run's interactions, and not in order.
        shuffled = own.assign(timestamp=times).sample(frac=1, random_state=1)
        other = m2trec.evaluate(eventful.run.directory, shuffled)
        found = {m.metric: m.value for m in other if m.slice == "All" and m.k == 20}
        assert found == pytest.approx({metric: m.value for metric, m in measured.items()})
    with pytest.warns(UserWarning, match="no column 'paid'") as told:
        m2trec.evaluate(eventful.run.directory, own.drop(columns="paid"))
    assert {warning.filename for warning in told} == {__file__}
    with pytest.warns(
        UserWarning, match=rf"column 'paid' is not a finite number in {len(own)} lines: these count"
    ):
        m2trec.evaluate(eventful.run.directory, own.assign(paid="$3"))


def test_a_model_without_them_refuses_them(shop) -> None:
    item = {"item_id": "sku-1", "event_attributes": {"event": "view"}}
    with pytest.raises(RefusedError, match="event_attributes: no such tensor"):
        m2trec.load(shop.repository).recommend([item])


def test_a_stored_model_reads_what_was_exported(eventful: Eventful) -> None:
    model = load_model(eventful.run.model, eventful.catalogue)
    settings = json.loads((version_folder(eventful.run.triton, PREPROCESS) / "settings.json").read_text())
    assert [each["field"]["name"] for each in settings["events"]] == [f.name for f in model.events]
    assert [each["column"] for each in settings["events"]] == ["event", "paid", "flags", "@hour", "@log_gap"]
    assert settings["time"] == {"column": "time", "format": "s"}


@pytest.mark.triton
class TestTriton:
    @pytest.fixture(scope="class")
    def address(self, eventful: Eventful) -> Iterator[str]:
        with TritonServer(eventful.run.triton, Ports.free()) as running:
            yield running.grpc_address

    def test_both_clients_are_answered_as_evaluation_does(self, eventful: Eventful, address: str) -> None:
        places = [int(place) for place in sampled(eventful)]

        async def ask_all() -> list[Any]:
            async with AsyncRecommendationClient(address, timeout=120) as client:
                asked = (client.recommend(eventful.asked(place), top_k=20) for place in places)
                return await asyncio.gather(*asked)

        with RecommendationClient(address, timeout=120) as client:
            answers = [client.recommend(eventful.asked(place), top_k=20) for place in places]
        for place, answer, other in zip(places, answers, asyncio.run(ask_all()), strict=True):
            items, scores = eventful.expected(place)
            assert answer.item_ids == other.item_ids == items
            np.testing.assert_allclose(answer.scores, scores, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(other.scores, scores, rtol=1e-4, atol=1e-4)

    def test_wrong_ones_are_refused(self, address: str) -> None:
        with RecommendationClient(address, timeout=120) as client:
            with pytest.raises(RefusedError, match=r"event_attributes\[0\]: expected a JSON object"):
                client.recommend([{"item_id": "sku-1", "event_attributes": [1]}])
            answer = client.recommend(["sku-1"])
        assert answer.item_ids and not answer.warnings


def test_the_card_and_the_report_say_what_is_known_of_events(eventful: Eventful) -> None:
    card = (eventful.run.triton / "MODEL_CARD.md").read_text()
    assert "- It knows of an event: event\\_type (categorical), paid (numeric), flags (multi" in card
    assert "- What may come next are events whose event is buy or cart." in card
    outcome = evaluate(eventful.scorer, eventful.prefixes, eventful.catalogue, eventful.run.config.evaluation)
    run, catalogue = eventful.run, eventful.catalogue
    known, sessions = known_before(run, catalogue), eventful.prefixes.sessions
    entries = dict(describe_protocol(Setup(run.config, catalogue, known, "test", sessions, ()), [outcome]))
    assert entries["Targets"].startswith("events whose event is buy or cart; all others are read as context")


def test_exports_of_other_models_have_not_a_word_of_it(shop, eventful: Eventful) -> None:
    for path in sorted(Path(shop.repository).rglob("config.pbtxt")):
        assert "event" not in path.read_text().replace("events of the session", "")
    assert not {"events", "time"} & json.loads((shop.preprocess / "settings.json").read_text()).keys()
    assert 'name: "event_attributes"' in (eventful.run.triton / "m2trec" / "config.pbtxt").read_text()
