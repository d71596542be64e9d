"""The whole job on synthetic data: raw tables in, recommendations over gRPC from a real Triton out."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import m2trec_merlin as m2trec
from m2trec_merlin.artifacts import MANIFEST, read_json
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.cli.app import read_config
from m2trec_merlin.cli.verbs import run_data, run_evaluate, run_export, run_preprocess, run_train
from m2trec_merlin.config import Config
from m2trec_merlin.encoded import FIRST_VALUE, NO_ITEM
from m2trec_merlin.evaluation.known import known_before
from m2trec_merlin.evaluation.run import our_scorers
from m2trec_merlin.evaluation.tuning.run import read_choice
from m2trec_merlin.model.m2trec import M2TRec
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.model.storage import load_model
from m2trec_merlin.neighbours.mixture import Mixture
from m2trec_merlin.neighbours.weights import WEIGHTS
from m2trec_merlin.runs import Run
from m2trec_merlin.serving.client import RecommendationClient
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
from m2trec_merlin.sessions import Prefixes, Sessions

pytestmark = [pytest.mark.triton, pytest.mark.slow]

TOP_K = 10
SETTINGS = {
    "name": "shop",
    "data": {
        "source": "synthetic",
        "options": {"n_sessions": 800, "n_items": 200, "n_categories": 6},
        "max_session_length": 8,
        "cold_item_share": 0.05,
    },
    "attributes": [
        {"name": "title", "kind": "text", "vocabulary_size": 200},
        {"name": "category", "kind": "categorical"},
        {"name": "brand", "kind": "categorical"},
        {"name": "tags", "kind": "multi_categorical"},
        {"name": "price", "kind": "numeric", "log": True},
        {"name": "picture", "kind": "vector", "size": 8},
        {"name": "meaning", "kind": "sentence", "column": "title"},
    ],
    "model": {
        "width": 32,
        "session": {"heads": 4, "feedforward": 64},
        "next_item": {"negatives": 64},
        "next_attributes": [{"attribute": "category"}],
    },
    "training": {"epochs": 8, "batch_size": 64, "warmup_steps": 10, "learning_rate": 0.005},
    "evaluation": {"bootstrap_samples": 20},
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.yaml").write_text(yaml.safe_dump({**SETTINGS, "work_dir": str(folder / "run")}))
    return read_config(folder / "shop.yaml")


@pytest.fixture(scope="module")
def finished(config: Config) -> Config:
    run_data(config)
    run_preprocess(config)
    run_train(config)
    run_evaluate(config)
    run_export(config)
    return config


@pytest.fixture(scope="module")
def client(finished: Config) -> Iterator[RecommendationClient]:
    server = TritonServer(finished.directory / "triton", Ports.free(), finished.serving.start_timeout)
    with server, RecommendationClient(server.grpc_address, timeout=60) as connected:
        yield connected


@pytest.fixture(scope="module")
def catalogue(finished: Config) -> Catalogue:
    return Catalogue.load(finished.directory / "preprocessed" / "catalogue")


@pytest.fixture(scope="module")
def model(finished: Config, catalogue: Catalogue) -> M2TRec:
    return load_model(finished.directory / "model", catalogue)


@pytest.fixture(scope="module")
def served(finished: Config, catalogue: Catalogue) -> Mixture:
    """What is served, as `evaluate` measured it."""
    run = Run(finished)
    mixture = our_scorers(run, catalogue, known_before(run, catalogue))[-1]
    assert isinstance(mixture, Mixture)
    return mixture


def after(rows: list[int]) -> Prefixes:
    """The prefix that holds these rows."""
    prefixes = Sessions.from_lists([[*rows, 1]]).prefixes()
    return prefixes.take(np.array([len(rows) - 1]))


def offline(served: Mixture, catalogue: Catalogue, rows: list[int]) -> tuple[list[str], np.ndarray]:
    """The best items for a session, without a server."""
    scores = served.score(after(rows))[0]
    best = np.argsort(-scores, kind="stable")[:TOP_K]
    return [str(i) for i in catalogue.item_ids[best]], scores[best]


def raw_attributes(config: Config, item_id: str) -> dict[str, object]:
    """One line of the raw items table, as a client would send it."""
    items = pd.read_parquet(config.directory / "data" / "items.parquet")
    line = items[items["item_id"].astype(str) == item_id].iloc[0]
    values = {a.source_column: line[a.source_column] for a in config.attributes}
    return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in values.items()}


def test_each_step_leaves_a_manifest(finished: Config) -> None:
    for step in ("data", "preprocessed", "model", "mixture", "evaluation"):
        manifest = json.loads((finished.directory / step / MANIFEST).read_text())
        assert manifest["packages"]["torch"]
        assert manifest["sha256"]


def test_the_model_beats_popularity_and_the_report_shows_it(finished: Config) -> None:
    metrics = json.loads((finished.directory / "evaluation" / "metrics.json").read_text())
    hit = {m["model"]: m["value"] for m in metrics if (m["metric"], m["k"], m["slice"]) == ("HIT", 20, "All")}
    assert set(hit) == {"M2TRec", "M2TRec mixed", "popularity", "Markov chain", "session kNN", "content kNN"}
    assert hit["M2TRec"] > 1.2 * hit["popularity"]
    assert "M2TRec" in (finished.directory / "evaluation" / "report.html").read_text()


@pytest.mark.parametrize("rows", [[3], [5, 9, 5], list(range(1, 14)), [190, 2]])
def test_answers_over_grpc_equal_those_without_a_server(
    client: RecommendationClient, served: Mixture, catalogue: Catalogue, rows: list[int]
) -> None:
    ids, scores = offline(served, catalogue, rows)
    answer = client.recommend([str(i) for i in catalogue.item_ids[rows]], top_k=TOP_K)
    assert answer.item_ids == ids
    np.testing.assert_allclose(answer.scores, scores, rtol=1e-4, atol=1e-4)
    assert answer.warnings == []
    assert len(answer.titles) == TOP_K


def test_an_item_sent_by_its_attributes_is_understood_as_the_same_item(
    client: RecommendationClient, finished: Config, model: M2TRec, served: Mixture, catalogue: Catalogue
) -> None:
    """Without its id the server does not know that it is in the catalogue: no neighbours, no repeat bias."""
    rows = [4, 7, 20]
    ids = [str(i) for i in catalogue.item_ids[rows]]
    answer = client.recommend([*ids[:2], raw_attributes(finished, ids[2])], top_k=TOP_K, exclude=ids)
    with torch.inference_mode():
        vectors = model.encode_rows(torch.tensor(rows)).described.unsqueeze(0)
        session = model.session_encoder.encode_last(vectors, torch.tensor([3]))
        everything = torch.arange(1, catalogue.n_rows)
        candidates, biases = model.next_item_head.candidates(model.encode_rows(everything), everything)
        counted = torch.ones(1, 3, dtype=torch.bool)
        query = model.next_item_head.queries_padded(session, vectors, counted, torch.tensor([3]))
        alone = (query @ candidates.T + biases).numpy()
    scores = np.append(-np.inf, alone[0]) + served.lifts.after(np.array([*rows[:2], NO_ITEM]))
    scores[rows] = -np.inf
    best = np.argsort(-scores, kind="stable")[:TOP_K]
    assert answer.item_ids == [str(i) for i in catalogue.item_ids[best]]
    np.testing.assert_allclose(answer.scores, scores[best], rtol=1e-4, atol=1e-4)


def test_categories_of_the_next_item_come_with_probabilities(
    client: RecommendationClient, finished: Config, model: M2TRec, catalogue: Catalogue
) -> None:
    answer = client.recommend([str(catalogue.item_ids[3])])
    prefixes = Sessions.from_lists([[3, 1]]).prefixes()
    logits = torch.from_numpy(ModelScorer(model).category_scores(prefixes)["category"][0])
    names = catalogue.category_names("category")
    real = logits[FIRST_VALUE:].softmax(0)
    expected = [(names[i + FIRST_VALUE], real[i].item()) for i in real.argsort(descending=True)]
    shown = finished.serving.top_categories
    assert [name for name, _ in answer.categories["category"]] == [name for name, _ in expected[:shown]]
    for (_, probability), (_, wanted) in zip(answer.categories["category"], expected, strict=False):
        assert probability == pytest.approx(wanted, abs=1e-4)


def test_sessions_of_one_s_own_are_measured_as_those_of_a_split(finished: Config) -> None:
    folder = finished.directory / "data" / "interactions" / "test"
    events = pd.concat([pd.read_parquet(part) for part in sorted(folder.iterdir())])
    rows = [row.as_dict() for row in m2trec.evaluate(finished.directory, events, split="test")]
    stored = read_json(finished.directory / "evaluation" / "metrics.json")
    ours = [row for row in stored if row["model"] in ("M2TRec", "M2TRec mixed")]
    assert [{**row, "seconds": 0} for row in rows] == [{**row, "seconds": 0} for row in ours]


def test_finished_steps_are_not_done_again(finished: Config) -> None:
    def state() -> dict[Path, int]:
        return {p: p.stat().st_mtime_ns for p in finished.directory.rglob("*") if p.is_file()}

    before = state()
    run_data(finished)
    run_preprocess(finished)
    run_train(finished)
    run_evaluate(finished)
    run_export(finished)
    assert state() == before


def test_what_is_served_was_chosen_and_is_evaluated_beside_the_model(finished: Config) -> None:
    run = Run(finished)
    choice = read_choice(run.mixture)
    assert run.step("export").manifest()["weights"] == choice.weights
    assert choice.listed is None, "too few sessions lead to items that could be listed anew"
    assert choice.weights == choice.chosen.weights.but(listed=WEIGHTS["listed"].default)
    rows = read_json(run.evaluation / "metrics.json")
    hits = {
        row["model"]: row["value"]
        for row in rows
        if (row["slice"], row["metric"], row["k"]) == ("All", "HIT", 20)
    }
    assert hits["M2TRec mixed"] > hits["popularity"]
    assert hits["M2TRec"] > hits["popularity"]
