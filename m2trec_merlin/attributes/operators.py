"""Functions of columns as NVTabular operators: small objects, so that a workflow can be saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from merlin.dag import Graph
from merlin.schema import ColumnSchema, Schema, Tags
from nvtabular import ColumnSelector, Workflow
from nvtabular.ops import Operator

from m2trec_merlin.frames import Column, Frame, Frames, frames_of


class Conversion(Protocol):
    """A function of a column; what an operator needs to know of it.

    Attributes:
        dtype: of the new values.
        shape: of a new value: empty for single values, (least, most) for lists, or (size,) for vectors.
        tags: of the new column.
    """

    @property
    def dtype(self) -> Any:
        """See above."""

    @property
    def shape(self) -> tuple[Any, ...]:
        """See above."""

    @property
    def tags(self) -> tuple[Tags, ...]:
        """See above."""

    def __call__(self, name: str, column: Column, frames: Frames) -> Column:
        """Return the new values of column `name`, as many as the old ones."""


@runtime_checkable
class Learning(Protocol):
    """An operator that learns from items: what it learned, as files from which nothing can run code."""

    def write_learned(self, column: str, folder: Path) -> None:
        """Write what was learned of a column into a file of that name."""

    def read_learned(self, column: str, folder: Path) -> None:
        """Take over what `write_learned` wrote; to transform, the file may change or go later.

        Raises:
            ArtifactError: it is missing or damaged.
        """

    def start_from(self, column: str, folder: Path) -> None:
        """Have the next fitting extend what `write_learned` wrote: every id keeps its value.

        Raises:
            ArtifactError: it is missing or damaged.
        """


class ConvertColumns(Operator):
    """Replaces each column by a function of that column alone."""

    def __init__(self, conversion: Conversion) -> None:
        super().__init__()
        self.conversion = conversion

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Return a frame of the selected columns, each converted."""
        frames = frames_of(df)
        return frames.frame({n: self.conversion(n, df[n], frames) for n in col_selector.names})

    def load(self) -> None:
        """Load now what the conversion would load when it is first called."""
        load = getattr(self.conversion, "load", None)
        if load is not None:
            load()

    def _compute_shape(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        return col_schema.with_shape((None, *self.conversion.shape)) if self.conversion.shape else col_schema

    @property
    def output_tags(self) -> list[Tags]:
        """Of the conversion."""
        return list(self.conversion.tags)

    @property
    def output_dtype(self) -> Any:
        """Of the conversion."""
        return self.conversion.dtype


def load_operators(workflow: Workflow) -> None:
    """Load now what a workflow's operators would load when they meet their first value; can take seconds.

    Raises:
        MissingDependencyError: something that one of them needs is not installed.
    """
    for node in Graph.get_nodes_by_op_type([workflow.output_node], ConvertColumns):
        node.op.load()


def find_operator(workflow: Workflow, name: str, kind: type[Operator]) -> Any:
    """Return the operator of a class that makes column `name`.

    Raises:
        KeyError: there is none.
    """
    for node in Graph.get_nodes_by_op_type([workflow.output_node], kind):
        if name in node.output_columns.names:
            return node.op
    raise KeyError(name)


class AsText:
    """Values of any type as the texts of categories; see `spelling` for which text."""

    dtype, shape, tags = np.str_, (), ()

    def __call__(self, name: str, column: Column, frames: Frames) -> Column:
        """Return strings, null where missing or empty."""
        return frames.categories(column, name)
