"""NVTabular operators from functions of columns; the functions are small objects, so they can be saved."""

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
    """A function that converts a column, with the metadata that an operator needs.

    Attributes:
        dtype: the type of the new values.
        shape: the shape of a value: () for single values, ((least, most),) for lists, (size,) for vectors.
        tags: the Merlin tags of the new column.
    """

    @property
    def dtype(self) -> Any:
        """The type of the new values."""

    @property
    def shape(self) -> tuple[Any, ...]:
        """The shape of a new value."""

    @property
    def tags(self) -> tuple[Tags, ...]:
        """The Merlin tags of the new column."""

    def __call__(self, name: str, column: Column, frames: Frames) -> Column:
        """Return the new values of column `name`, one per row."""


@runtime_checkable
class Learning(Protocol):
    """An operator that learns from data, and stores what it learned in files that cannot run code."""

    def write_learned(self, column: str, folder: Path) -> None:
        """Write what was learned from a column into a file named after the column."""

    def read_learned(self, column: str, folder: Path) -> None:
        """Load what `write_learned` wrote; `transform` works even if the file changes or goes later.

        Raises:
            ArtifactError: the file is missing or damaged.
        """

    def start_from(self, column: str, folder: Path) -> None:
        """Make the next fitting extend what `write_learned` wrote: every id keeps its value.

        Raises:
            ArtifactError: the file is missing or damaged.
        """


class ConvertColumns(Operator):
    """An operator that applies a conversion to each column separately."""

    def __init__(self, conversion: Conversion) -> None:
        super().__init__()
        self.conversion = conversion

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Return a frame of the selected columns, each converted."""
        frames = frames_of(df)
        return frames.frame({n: self.conversion(n, df[n], frames) for n in col_selector.names})

    def load(self) -> None:
        """Load now what the conversion would otherwise load on its first call."""
        load = getattr(self.conversion, "load", None)
        if load is not None:
            load()

    def _compute_shape(self, col_schema: ColumnSchema, input_schema: Schema) -> ColumnSchema:
        return col_schema.with_shape((None, *self.conversion.shape)) if self.conversion.shape else col_schema

    @property
    def output_tags(self) -> list[Tags]:
        """The tags of the conversion."""
        return list(self.conversion.tags)

    @property
    def output_dtype(self) -> Any:
        """The type of the conversion."""
        return self.conversion.dtype


def load_operators(workflow: Workflow) -> None:
    """Load now what a workflow's operators would otherwise load on first use; this can take seconds.

    Raises:
        MissingDependencyError: an operator needs a package that is not installed.
    """
    for node in Graph.get_nodes_by_op_type([workflow.output_node], ConvertColumns):
        node.op.load()


def find_operator(workflow: Workflow, name: str, kind: type[Operator]) -> Any:
    """Return the operator of class `kind` that outputs column `name`.

    Raises:
        KeyError: there is no such operator.
    """
    for node in Graph.get_nodes_by_op_type([workflow.output_node], kind):
        if name in node.output_columns.names:
            return node.op
    raise KeyError(name)


class AsText:
    """Convert values of any type to the texts of categories, as `spelling` defines them."""

    dtype, shape, tags = np.str_, (), ()

    def __call__(self, name: str, column: Column, frames: Frames) -> Column:
        """Return strings, null where missing or empty."""
        return frames.categories(column, name)
