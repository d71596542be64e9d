"""The base class of all kinds of attributes: the interface between raw columns and their readers.

A kind is one module of this package, with a class of settings that implements the methods below, and one
entry in the table of `__init__`. No other code depends on it; the model sees only the layout of the encoded
values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field as Setting
from pydantic import field_validator

from m2trec_merlin.attributes.profiles import Profile, most_frequent
from m2trec_merlin.attributes.raw_values import (
    Fault,
    WrittenFault,
    are_lists,
    are_objects,
    doubts_of_texts,
    written_lists,
)
from m2trec_merlin.column_names import (
    ITEM_ID,
    KNOWN_COUNT,
    KNOWN_RECENT_COUNT,
    RECENT_COUNT,
    TRAIN_COUNT,
)
from m2trec_merlin.columns import as_text
from m2trec_merlin.encoded import Field, Layout
from m2trec_merlin.sections import Name, Section

if TYPE_CHECKING:
    from nvtabular import Workflow

#: Names no attribute may have: columns of the catalogue, and "labels", which NVTabular's Categorify uses.
RESERVED_NAMES = (ITEM_ID, "row", TRAIN_COUNT, RECENT_COUNT, KNOWN_COUNT, KNOWN_RECENT_COUNT, "labels")

#: A node of a graph of NVTabular operators, or the list of column names that the graph begins with.
Node = Any


@dataclass(frozen=True)
class Embedding:
    """How the model embeds the ids or vectors of an attribute.

    Attributes:
        dim: the width of the embedding; None derives it from the size of the vocabulary.
        pooling: how the vectors of a list's values are combined.
        pair_buckets: the number of vectors for pairs of neighbouring values, found by a hash; 0 for none.
    """

    dim: int | None = None
    pooling: Literal["mean", "max"] = "mean"
    pair_buckets: int = 0


@dataclass(frozen=True)
class Pretrained:
    """A third-party pretrained model that turns raw values into vectors.

    Attributes:
        name: the name of the model.
        package: the package that contains the model.
        extra: the extra of m2trec-merlin that installs it.
    """

    name: str
    package: str
    extra: str


class Attribute(Section):
    """An attribute of items or events: how it is read, checked, encoded, shown and embedded."""

    name: str = Setting(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)
    kind: str
    column: Name | None = Setting(None, description="column of the table; default: the name")

    #: How encoded values are laid out.
    layout: ClassVar[Layout]
    #: Whether the column can serve as an item's title.
    gives_titles: ClassVar[bool] = False
    #: Whether ids stand for values that people can name, so that a model can predict the next item's value.
    names_values: ClassVar[bool] = False
    #: Whether people read and filter by the raw values.
    is_shown: ClassVar[bool] = False
    #: Settings that concern only the model: changing one requires training again, but not preprocessing.
    model_settings: ClassVar[frozenset[str]] = frozenset({"dim", "pooling", "pair_buckets"})
    #: What an export holds that was learned from the items, besides their values: "subword tokenisers".
    learns: ClassVar[str] = ""
    #: Packages imported to encode raw values, besides those of every workflow.
    packages: ClassVar[tuple[str, ...]] = ()
    #: The pretrained model that turns values into vectors, if any.
    pretrained: ClassVar[Pretrained | None] = None
    #: Items encoded at a time in each process; fewer for kinds that are slow to encode.
    items_at_a_time: ClassVar[int] = 50_000

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, name: str) -> str:
        if name in RESERVED_NAMES or "__" in name:
            raise ValueError(f"attribute name '{name}' is reserved: choose another, and set column: {name}")
        return name

    @property
    def source_column(self) -> str:
        """The column of the items table that holds this attribute."""
        return self.column or self.name

    @property
    def decimal_mark(self) -> str:
        """The decimal mark in texts, if the attribute is read as a number; else empty."""
        return ""

    @property
    def embedding(self) -> Embedding:
        """How the model embeds this attribute."""
        return Embedding()

    def preprocessing_settings(self) -> dict[str, Any]:
        """Return the settings that the encoded values depend on."""
        return self.model_dump(mode="json", exclude=set(self.model_settings))

    def reading_settings(self) -> dict[str, Any]:
        """Return the settings that decide whether raw values are valid."""
        return {"column": self.source_column, "kind": self.kind}

    def contradictions(self, attributes: Mapping[str, Attribute]) -> list[str]:
        """Return messages about conflicts of this attribute's settings with the others, given by name."""
        if self.source_column == ITEM_ID:
            return [f"attribute '{self.name}' reads '{ITEM_ID}': item ids are never features"]
        return []

    def faults(self, values: pd.Series) -> Iterator[Fault]:
        """Yield the faults of known raw values, each judged by itself: here, lists and objects."""
        hint = "kind multi_categorical takes lists"
        yield Fault("is a list, not a single value", values, are_lists(values), hint)
        yield Fault("is an object, not a single value", values, are_objects(values))

    def column_faults(self, values: pd.Series) -> Iterator[Fault]:
        """Yield the faults of a whole column of known values, which may show more than each value does."""
        found = list(self.faults(values))
        others = [fault for fault in found if not isinstance(fault, WrittenFault)]
        written = written_lists(values)
        if written.all() and not any(fault.wrong.any() for fault in others):
            found = [*others, WrittenFault.of(values, written)]
        yield from found

    def doubts(self, values: pd.Series, of: str = "item") -> Iterator[str]:
        """Yield warnings about known values of the raw column that are valid, but probably not intended.

        Args:
            values: the known values of the column.
            of: the noun for what a value belongs to, "item" or "event".
        """
        yield from doubts_of_texts(values, self.comparable(values), of)

    def value_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a raw value that is not missing."""
        return {"type": ["string", "number", "boolean"]}

    def comparable(self, values: pd.Series) -> pa.Array:
        """Return flat Arrow values of the canonical column, equal for equal items; null where missing."""
        return as_text(values)

    def profile(self, values: pa.Array, counts: np.ndarray) -> Profile:
        """Summarise the column for a person.

        Args:
            values: the distinct values of `comparable`, without null.
            counts: the number of items that have each value, int64.
        """
        return Profile(most_frequent(values, counts))

    def spell(self, value: object) -> str:
        """Return a value of `comparable` as readable text; empty if it would tell a person little."""
        return f"{value:g}" if isinstance(value, float) else value if isinstance(value, str) else ""

    def canonical(self, values: pd.Series) -> pd.Series:
        """Return the raw column as the canonical items table holds it."""
        return values

    def vocabulary_owner(self, attributes: Mapping[str, Attribute]) -> str:
        """Return the name of the attribute whose vocabulary this one uses; by default this one's own."""
        return self.name

    def encode(self, source: Node, members: Sequence[Attribute], storage: Path) -> Node:
        """Compose the operators that encode raw columns.

        Args:
            source: a node of the raw columns, renamed to the attributes.
            members: the attributes that share this one's vocabulary, including this one.
            storage: the folder where fitting keeps vocabularies until the workflow is saved.
        """
        raise NotImplementedError

    def write_vocabulary(self, workflow: Workflow, folder: Path) -> Field:
        """Write what a fitted workflow learned of this attribute; return its field of encoded values.

        Args:
            workflow: the fitted workflow.
            folder: the folder for a file named after the attribute, if any.
        """
        return Field(self.name, self.layout)

    def raw_numbers(self, encoded: np.ndarray, workflow: Workflow) -> np.ndarray:
        """Return the numbers of the raw column that a fitted workflow encodes so; for layout `numbers`."""
        raise NotImplementedError

    def filter_values(self, values: pd.Series) -> pa.Array:
        """Return the raw values that requests filter by: texts, lists of texts, or float64."""
        raise NotImplementedError
