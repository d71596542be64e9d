"""Save fitted workflows as plain data, and load them again.

NVTabular's own format is a pickle, which runs code when it is read. A folder written here holds only JSON,
Parquet and tokenizer files, from which the same workflow is composed again:

```
workflow.json               settings of the attributes; names and types of the raw columns
OPERATOR/COLUMN.ENDING      what an operator learned from a column; content and format are up to the operator
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

#: A function that composes a workflow from attributes and a folder for their vocabularies.
Compose = Callable[[Sequence[Attribute], Path], Workflow]


def save_workflow(workflow: Workflow, attributes: Sequence[Attribute], directory: Path) -> None:
    """Write a fitted workflow into a folder.

    Args:
        workflow: a fitted workflow from `items_workflow` or `sessions_workflow`.
        attributes: the attributes that it was composed of.
        directory: the folder to write, created if needed.

    Raises:
        TypeError: an operator that learns does not implement `Learning`.
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
    """Load a workflow that `save_workflow` wrote; transforming does not need the files afterwards.

    Args:
        directory: the folder that `save_workflow` wrote.
        compose: the function that composes the workflow from its attributes, or only a part of it.

    Raises:
        ArtifactError: a file is missing or damaged.
    """
    content = read_json(directory / SETTINGS, "preprocess")
    with reading(directory / SETTINGS, "preprocess"):
        attributes = [parse_attribute(**settings) for settings in content["attributes"]]
        inputs = Schema([_column(**column) for column in content["inputs"]])
    # A loaded workflow is never fitted, so it writes nothing into its storage folder.
    workflow = compose(attributes, directory).fit_schema(inputs)
    read_learned(workflow, directory)
    # Fit the schema again, as it contains the sizes of the vocabularies.
    return workflow.fit_schema(inputs)


def read_learned(workflow: Workflow, directory: Path) -> None:
    """Load what the operators of a saved workflow learned into another workflow.

    Args:
        workflow: a workflow of the same attributes, its schema fitted.
        directory: the folder that `save_workflow` wrote.

    Raises:
        ArtifactError: a file is missing or damaged.
    """
    for operator, columns in learning_operators(workflow):
        folder = directory / type(operator).__name__
        for column in columns:
            operator.read_learned(column, folder)


def learning_operators(workflow: Workflow) -> Iterator[tuple[Learning, list[str]]]:
    """Yield each operator that learns, with the names of the columns that it learns from.

    Raises:
        TypeError: an operator that learns does not implement `Learning`.
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
