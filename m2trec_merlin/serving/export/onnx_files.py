"""A module of torch as an ONNX file, and whether the two agree."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from m2trec_merlin.errors import ArtifactError, MissingDependencyError

#: How far a graph may be off, relative to the largest value where that is above 1.
TOLERANCE = 1e-4

#: What the names of inputs begin with until the graph is written.
_INPUT = "input."


def write_graph(
    graph: nn.Module,
    example: dict[str, Any],
    inputs: Sequence[str],
    outputs: Sequence[str],
    dynamic: dict[str, Any],
    path: Path,
) -> None:
    """Export a module.

    Args:
        graph: the module.
        example: its arguments.
        inputs: names of the tensors among them.
        outputs: names of what it returns.
        dynamic: which sizes of the arguments vary, as `torch.export` has it.
        path: of the file.

    Raises:
        MissingDependencyError: the exporter's packages are not installed.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"the export needs {error.name}: pip install 'm2trec-merlin[serve]'"
        ) from None
    with _quiet(), torch.inference_mode():
        program = torch.onnx.export(
            graph,
            (),
            kwargs=example,
            # A result within the graph may be called like an attribute: "cat", say.
            input_names=[f"{_INPUT}{name}" for name in inputs],
            output_names=list(outputs),
            dynamic_shapes=dynamic,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    message = _without_remarks(program.model_proto)
    _name_inputs(message.graph, inputs)
    onnx.save(message, path)


def _name_inputs(graph: Any, names: Sequence[str]) -> None:
    """Let the inputs of a graph have their names, and results within it, or within its loops, others."""
    new = {name: f"inner.{name}" for name in names} | {f"{_INPUT}{name}": name for name in names}
    _rename(graph, new)


def _rename(graph: Any, new: dict[str, str]) -> None:
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, new)
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = new.get(value.name, value.name)


def _without_remarks(message: Any) -> Any:
    """Clear the notes, all over a model, on which line of whose source code each part comes from."""
    for field, value in message.ListFields():
        if field.name == "metadata_props":
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                _without_remarks(part)
    return message


def require_equal(path: Path, feeds: dict[str, np.ndarray], expected: Sequence[np.ndarray]) -> None:
    """Check what an exported graph makes of some inputs.

    Args:
        path: of the graph.
        feeds: by name.
        expected: what the module made of them.

    Raises:
        ArtifactError: the two disagree.
    """
    found = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, feeds)
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        largest = np.abs(other[np.isfinite(other)]).max(initial=1)
        if one.shape != other.shape or not np.allclose(one, other, rtol=0, atol=TOLERANCE * largest):
            shapes = {name: list(array.shape) for name, array in feeds.items()}
            raise ArtifactError(
                f"{path.name}, output {index}: the exported graph and the model disagree for inputs of "
                f"shapes {shapes}; the export is given up. This is a fault of the exporter: please report it"
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on its own inner workings away from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
