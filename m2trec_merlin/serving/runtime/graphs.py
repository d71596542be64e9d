"""Exported graphs, opened for answering one request after the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def open_graph(path: Path) -> InferenceSession:
    """Open an ONNX file on the CPU, with one thread."""
    # Who reads a configuration knows the indexes by name, and need not be able to serve.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One session is too little work to share among threads; Triton runs instances side by side instead.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
