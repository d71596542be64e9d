"""Fit a workflow part by part, in this process or on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dask import delayed
from merlin.dag import Graph
from merlin.dag.executors import LocalExecutor
from merlin.dag.ops.stat_operator import StatOperator
from nvtabular import Workflow

from m2trec_merlin.attributes.fitting import FittedByParts
from m2trec_merlin.column_names import POSITION
from m2trec_merlin.merlin_adapter import dataset_of_parts
from m2trec_merlin.preprocessing.device import frames_on
from m2trec_merlin.preprocessing.parts import last_of_sessions
from m2trec_merlin.preprocessing.workers import ALONE, Workers


def fit_workflow(
    workflow: Workflow,
    parts: Sequence[Path],
    columns: Sequence[str],
    workers: Workers = ALONE,
    longest: int | None = None,
) -> Workflow:
    """Fit a workflow like `nvtabular.Workflow.fit`, but without a Dask dataframe.

    Args:
        workflow: a workflow whose operators are `FittedByParts` or need no fitting.
        parts: Parquet files to fit on.
        columns: names of the columns to read.
        workers: the workers that read the parts.
        longest: the number of events at the end of each session to fit on; None for all rows of the parts.

    Returns:
        The fitted workflow.

    Raises:
        TypeError: an operator can only be fitted on a Dask dataframe.
    """
    schema = dataset_of_parts(parts[:1], columns).schema
    workflow.fit_schema(schema)
    waiting = {
        node: Graph.get_nodes_by_op_type(node.parents_with_dependencies, StatOperator)
        for node in Graph.get_nodes_by_op_type([workflow.output_node], StatOperator)
    }
    for node in waiting:
        if not isinstance(node.op, FittedByParts):
            raise TypeError(f"{type(node.op).__name__} cannot be fitted part by part")
        node.op.clear()
    while waiting:
        ready = [node for node, before in waiting.items() if not before]
        shared, fit = delayed(ready), delayed(fit_part)
        tasks = [fit(shared, str(part), columns, workers.device, longest) for part in parts]
        found = workers.run(tasks, "vocabularies")
        for node, results in zip(ready, zip(*found, strict=True), strict=True):
            node.op.fit_finalize(node.op.join(results))
            node.op.fitted = True
            del waiting[node]
        for before in waiting.values():
            before.difference_update(ready)
    workflow.graph.construct_schema(schema, preserve_dtypes=True)
    return workflow


def fit_part(
    nodes: Sequence[Any], source: str, columns: Sequence[str], device: str, longest: int | None
) -> list[Any]:
    """Return the statistics of one part for the operator of each node."""
    frames = frames_on(device)
    frame = frames.read(Path(source), columns)
    if longest is not None:
        frame = frames.keep(frame, last_of_sessions(frames.floats(frame[POSITION]), longest))
    results = []
    for node in nodes:
        inputs = LocalExecutor().transform(frame, node.parents_with_dependencies)
        results.append(node.op.fit_part(node.input_columns, inputs))
    return results
