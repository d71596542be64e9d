"""Export of a torch module as an ONNX file, and comparison of the two."""

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

#: Largest accepted difference between graph and module, relative to the largest value if that is above 1.
TOLERANCE = 1e-4

#: Prefix of input names until the graph is written.
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
        example: example of its keyword arguments.
        inputs: names of the input tensors, in the order of the arguments.
        outputs: names of the output tensors.
        dynamic: sizes of the arguments that vary, in the form of `torch.export`.
        path: path of the file.

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
            # Inner results of the graph may have the name of an attribute, such as "cat".
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
    """Give the inputs of a graph their names; inner results, also of loops, with such names are renamed."""
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
    """Remove the metadata all over a model on the lines of source code that each part comes from."""
    for field, value in message.ListFields():
        if field.name == "metadata_props":
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                _without_remarks(part)
    return message


def require_equal(path: Path, feeds: dict[str, np.ndarray], expected: Sequence[np.ndarray]) -> None:
    """Check that an exported graph agrees with its module on some inputs.

    Args:
        path: path of the graph.
        feeds: inputs by name.
        expected: outputs of the module.

    Raises:
        ArtifactError: the outputs differ.
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
    """Silence the exporter's warnings about its own internals."""
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
