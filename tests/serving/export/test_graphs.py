from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.errors import ArtifactError, MissingDependencyError
from m2trec_merlin.serving.export import graphs
from tests.serving.conftest import Shop


def test_a_graph_that_differs_from_the_model_is_refused(shop: Shop) -> None:
    width = np.load(shop.predict / "item_vectors.npy").shape[1]
    feeds = {"vectors": np.zeros((1, 2, width), np.float32), "lengths": np.array([2])}
    feeds["counted"] = np.ones((1, 2), dtype=bool)
    queries = np.zeros((1, 16), np.float32)
    with pytest.raises(
        ArtifactError, match=r"sessions\.onnx, output 0: the exported graph and the model disagree"
    ):
        graphs._require_equal(shop.predict / "sessions.onnx", feeds, [queries + 1000, queries[:, :3]])


def test_without_onnxscript_the_message_says_what_to_install(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingDependencyError, match=r"onnxscript.*m2trec-merlin\[serve\]"):
        graphs.export_items(shop.model, tmp_path / "items.onnx")


def test_graphs_tell_nothing_of_the_machine_they_were_made_on(shop: Shop) -> None:
    for name in ("items.onnx", "sessions.onnx"):
        assert str(Path(graphs.__file__).parent).encode() not in (shop.predict / name).read_bytes()
