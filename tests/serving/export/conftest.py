from __future__ import annotations

import pytest

from m2trec_merlin.serving.export import graphs, onnx_files


@pytest.fixture
def graphs_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it matters how they are written."""
    monkeypatch.setattr(graphs, "write_graph", onnx_files.write_graph)
