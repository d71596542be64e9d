from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from m2trec_merlin.errors import ArtifactError, MissingDependencyError
from m2trec_merlin.model.m2trec import M2TRec, build_model
from m2trec_merlin.serving.export import graphs
from m2trec_merlin.serving.export.onnx_files import require_equal, write_graph
from m2trec_merlin.serving.runtime.catalogue.graph import CatalogueEncoder
from tests.worlds.encoded import ATTRIBUTES, tiny_catalogue, tiny_config
from tests.worlds.shop import Shop, encode_raw, shop_config


def test_a_graph_that_differs_from_the_model_is_refused(shop: Shop) -> None:
    width = np.load(shop.predict / "item_vectors.npy").shape[1]
    feeds = {"vectors": np.zeros((1, 2, width), np.float32), "lengths": np.array([2])}
    feeds["counted"] = np.ones((1, 2), dtype=bool)
    queries = np.zeros((1, 16), np.float32)
    with pytest.raises(
        ArtifactError, match=r"sessions\.onnx, output 0: the exported graph and the model disagree"
    ):
        require_equal(shop.predict / "sessions.onnx", feeds, [queries + 1000, queries[:, :3]])


@pytest.mark.usefixtures("graphs_written_anew")
def test_without_onnxscript_the_message_says_what_to_install(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingDependencyError, match=r"onnxscript.*m2trec-merlin\[serve\]"):
        graphs.export_items(shop.model, tmp_path)


def test_graphs_tell_nothing_of_the_machine_they_were_made_on(shop: Shop) -> None:
    for name in ("items.onnx", "sessions.onnx"):
        assert str(Path(graphs.__file__).parent).encode() not in (shop.predict / name).read_bytes()


class Joined(torch.nn.Module):
    def forward(self, cat: torch.Tensor, relu: torch.Tensor) -> torch.Tensor:
        return torch.cat([cat, relu], dim=1).relu()


def test_attributes_may_be_called_like_a_step_of_the_computation(tmp_path: Path) -> None:
    example = {"cat": torch.tensor([[1.0, -2.0]]), "relu": torch.tensor([[3.0]])}
    shapes = {name: {0: "n"} for name in example}
    write_graph(Joined(), example, ["cat", "relu"], ["joined"], shapes, tmp_path / "joined.onnx")
    found = run_graph(tmp_path / "joined.onnx", example)
    assert found["joined"].tolist() == [[1.0, 0.0, 3.0]]


def test_graphs_are_tried_on_sessions_that_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attention over 10,000 events, the most that can be configured, would take 20 GB."""
    catalogue, tried = tiny_catalogue(), []
    model = build_model(tiny_config(data={"max_session_length": 10_000}), catalogue).eval()
    monkeypatch.setattr(graphs, "write_graph", lambda *args: None)
    monkeypatch.setattr(graphs, "require_equal", lambda path, feeds, expected: tried.append(feeds["vectors"]))
    vectors = np.ones((3, model.item_encoder.width), np.float32)
    graphs.export_sessions(model, vectors, tmp_path / "sessions.onnx")
    assert [each.shape[:2] for each in tried] == [(1, 1), (4, 1), (1, 512), (5, 512)]


@pytest.mark.usefixtures("graphs_written_anew")
def test_attributes_may_be_called_like_inputs_and_outputs_of_a_graph(tmp_path: Path) -> None:
    names = {"category": "rows", "price": "biases", "image": "item_vectors"}
    whole = tiny_catalogue()
    columns = {names.get(n, n): c for n, c in whole.attributes.items()}
    renamed = {n: replace(c, field=replace(c.field, name=n)) for n, c in columns.items()}
    attributes = [{**a, "name": names.get(a["name"], a["name"])} for a in ATTRIBUTES]
    config = tiny_config(attributes=attributes, model={"next_attributes": [{"attribute": "rows"}]})
    catalogue = replace(whole, attributes=renamed)
    model, histories = build_model(config, catalogue).eval(), np.array([1, 0, 30])
    graphs.export_items(model, tmp_path)
    items = {name: column.take(np.array([1, 2, 30])) for name, column in renamed.items()}
    _, _, biases = CatalogueEncoder(tmp_path).encode(items, histories)
    with torch.inference_mode():
        vectors = model.encode_rows(torch.tensor([1, 2, 30]))
        expected = model.next_item_head.candidate_biases(vectors, torch.from_numpy(histories))
    np.testing.assert_allclose(biases, expected.numpy(), atol=1e-5)


def run_graph(path: Path, inputs: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    graph = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = graph.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
    return dict(zip((output.name for output in graph.get_outputs()), found, strict=True))


def run_items(folder: Path, attributes: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Return what the graph makes of one item without a history."""
    nothing = {path.stem: torch.from_numpy(np.load(path)[:1]) for path in folder.glob("history_*.npy")}
    history = {f"__{name.removeprefix('history_')}": table for name, table in nothing.items()}
    return run_graph(folder / "items.onnx", {**attributes, **history})


def test_one_graph_says_what_an_item_never_seen_is_as_an_event_and_as_a_candidate(shop: Shop) -> None:
    attributes = encode_raw(shop, {"product_name": "purple bread 7", "department": "bakery", "price": 2.5})
    found = run_items(shop.predict, attributes)
    with torch.inference_mode():
        items = shop.model.item_encoder(attributes)
        nowhere, head = torch.zeros(1, dtype=torch.int64), shop.model.next_item_head
        vectors, biases = head.candidate_vectors(items, nowhere), head.candidate_biases(items, nowhere)
    assert list(found) == ["item_vectors", "candidate_vectors", "candidate_biases"]
    np.testing.assert_allclose(found["item_vectors"], items.described.numpy(), atol=1e-5)
    np.testing.assert_allclose(found["candidate_vectors"], vectors.numpy(), atol=1e-5)
    np.testing.assert_allclose(found["candidate_biases"], biases.numpy(), atol=1e-5)
    assert abs(float(biases)) > 0.01
    assert np.load(shop.predict / "item_vectors.npy").shape[1] == found["item_vectors"].shape[1]


@pytest.mark.parametrize(
    ("next_item", "outputs"),
    [
        ({"popularity_bias": False}, ["item_vectors", "candidate_vectors", "candidate_biases"]),
        ({"head": "softmax"}, ["item_vectors"]),
    ],
    ids=["nothing known of popularity", "training items alone"],
)
def test_a_model_exports_candidates_of_items_that_it_can_recommend(
    shop: Shop, tmp_path: Path, next_item: dict[str, object], outputs: list[str]
) -> None:
    model: M2TRec = build_model(shop_config(tmp_path, next_item=next_item), shop.catalogue).eval()
    graphs.export_items(model, tmp_path)
    attributes = encode_raw(shop, {"product_name": "purple bread 7"})
    found = run_items(tmp_path, attributes)
    assert list(found) == outputs
    assert not found.get("candidate_biases", np.zeros(1)).any()
