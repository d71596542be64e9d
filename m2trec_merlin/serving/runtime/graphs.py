"""Exported graphs, opened for answering one request after the other."""

from __future__ import annotations

from pathlib import Path

import onnxruntime


def open_graph(path: Path) -> onnxruntime.InferenceSession:
    """Open an ONNX file on the CPU, with one thread."""
    options = onnxruntime.SessionOptions()
    # One session is too little work to share among threads; Triton runs instances side by side instead.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
