"""Fitted workflows on disk, as data: what was configured, and what its operators learned.

NVTabular's own format is a pickle, which runs code when it is read. Here nothing is read but JSON, Parquet
and files of tokenizers, from which the same workflow is composed again:

```
workflow.json               settings of the attributes; names and types of the raw columns
OPERATOR/COLUMN.ENDING      what an operator learned of a column; the operator says what, and in which form
```
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from merlin.dag import Graph
from merlin.schema import ColumnSchema, Schema
from nvtabular import Workflow
from nvtabular.ops import StatOperator

from m2trec_merlin.artifacts import atomic_write, read_json, reading
from m2trec_merlin.attributes import Attribute, parse_attribute
from m2trec_merlin.attributes.operators import Learning
from m2trec_merlin.workflows.items import items_workflow

SETTINGS = "workflow.json"


#: Composes a workflow of attributes and a folder to keep vocabularies in.
Compose = Callable[[Sequence[Attribute], Path], Workflow]


def save_workflow(workflow: Workflow, attributes: Sequence[Attribute], directory: Path) -> None:
    """Write a fitted workflow.

    Args:
        workflow: from `items_workflow` or `sessions_workflow`, fitted.
        attributes: that it was composed of.
        directory: is made; an operator's folder must not be there yet.

    Raises:
        TypeError: an operator that learns does not say what it learned.
    """
    inputs = [_describe(column) for column in workflow.input_schema]
    settings = [attribute.preprocessing_settings() for attribute in attributes]
    for operator, columns in learning_operators(workflow):
        folder = directory / type(operator).__name__
        folder.mkdir(parents=True, exist_ok=True)
        for column in columns:
            operator.write_learned(column, folder)
    atomic_write(directory / SETTINGS, json.dumps({"attributes": settings, "inputs": inputs}, indent=2))


def load_workflow(directory: Path, compose: Compose = items_workflow) -> Workflow:
    """Compose again what `save_workflow` wrote; afterwards the files are not needed any more.

    Args:
        directory: that it was written into.
        compose: what a workflow of these attributes is made by, or that part of one that is wanted.

    Raises:
        ArtifactError: a file is missing or damaged.
    """
    content = read_json(directory / SETTINGS, "preprocess")
    with reading(directory / SETTINGS, "preprocess"):
        attributes = [parse_attribute(**settings) for settings in content["attributes"]]
        inputs = Schema([_column(**column) for column in content["inputs"]])
    # A workflow that is loaded is never fitted, so nothing is kept in its storage.
    workflow = compose(attributes, directory).fit_schema(inputs)
    read_learned(workflow, directory)
    # Once more: sizes of vocabularies are part of the schema.
    return workflow.fit_schema(inputs)


def read_learned(workflow: Workflow, directory: Path) -> None:
    """Let a workflow take over what the operators of a saved one learned.

    Args:
        workflow: of the same attributes, its schema fitted.
        directory: where `save_workflow` wrote the other one.

    Raises:
        ArtifactError: a file is missing or damaged.
    """
    for operator, columns in learning_operators(workflow):
        folder = directory / type(operator).__name__
        for column in columns:
            operator.read_learned(column, folder)


def learning_operators(workflow: Workflow) -> Iterator[tuple[Learning, list[str]]]:
    """Yield the operators that learn, and the columns that they learn of.

    Raises:
        TypeError: one does not say what it learned.
    """
    for node in Graph.get_nodes_by_op_type([workflow.output_node], StatOperator):
        if not isinstance(node.op, Learning):
            raise TypeError(f"{type(node.op).__name__} learns, but has no write_learned and read_learned")
        yield node.op, node.input_columns.names


def _describe(column: ColumnSchema) -> dict[str, Any]:
    return {"name": column.name, "dtype": column.dtype.name, "dims": column.shape.as_tuple}


def _column(name: str, dtype: str, dims: list[Any] | None) -> ColumnSchema:
    return ColumnSchema(name, dtype=dtype, dims=None if dims is None else tuple(map(_dimension, dims)))


def _dimension(bounds: Any) -> Any:
    return tuple(bounds) if isinstance(bounds, list) else bounds
