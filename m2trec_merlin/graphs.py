"""Opening exported ONNX graphs to answer one request after the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from m2trec_merlin.errors import MissingDependencyError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def open_graph(path: Path) -> InferenceSession:
    """Open an ONNX file on the CPU, with one thread.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
    """
    try:
        # Imported late: reading a configuration, which names an index, must work without ONNX Runtime.
        import onnxruntime
    except ImportError:
        raise MissingDependencyError(
            "onnxruntime is not installed: pip install 'm2trec-merlin[serve]'"
        ) from None
    options = onnxruntime.SessionOptions()
    # One session is too little work to share among threads; Triton runs instances side by side instead.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        path,
        options,
        providers=["CPUExecutionProvider"],
        # The fused kernel is slower than an addition followed by a normalisation.
        disabled_optimizers=["SkipLayerNormFusion"],
    )
