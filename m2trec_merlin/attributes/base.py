"""The base class of all kinds of attributes: the interface between raw columns and their readers.

A kind is one module of this package, with a class of settings that implements the methods below, and one
entry in the table of `__init__`. No other code depends on it; the model sees only the layout of the encoded
values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field as Setting
from pydantic import field_validator

from m2trec_merlin.attributes.profiles import Profile, most_frequent
from m2trec_merlin.column_names import (
    ITEM_ID,
    KNOWN_COUNT,
    KNOWN_RECENT_COUNT,
    RECENT_COUNT,
    TRAIN_COUNT,
)
from m2trec_merlin.columns import are_missing_words, as_text, to_arrow
from m2trec_merlin.encoded import Field, Layout
from m2trec_merlin.errors import shorten
from m2trec_merlin.sections import Name, Section
from m2trec_merlin.shares import counted

if TYPE_CHECKING:
    from nvtabular import Workflow

#: Names no attribute may have: columns of the catalogue, and "labels", which NVTabular's Categorify uses.
RESERVED_NAMES = (ITEM_ID, "row", TRAIN_COUNT, RECENT_COUNT, KNOWN_COUNT, KNOWN_RECENT_COUNT, "labels")

#: Advice on lists and on objects that are written as text.
_ON_LISTS = "use Parquet, which has lists, or kind multi_categorical with texts like red|cheap"
_ON_OBJECTS = "give each of its properties a column"
# Brackets that hold nothing or quoted values, as Python, JSON and NumPy write lists; a blank text, or
# anything in brackets; brackets with several things inside.
_QUOTED_LIST = r"""(?s)^\s*[\[({]\s*(['"].*['"]\s*,?\s*)?[\])}]\s*$"""
_BRACKETS = r"(?s)^\s*([\[{].*[\]}]\s*)?$"
# Names with values, as Python and JSON write objects.
_OBJECT = r"""(?s)^\s*\{\s*("[^"]*"|'[^']*')\s*:.*\}\s*$"""
_SEVERAL = r"(?s)^\s*[\[{].*\S[,\s].*\S.*[\]}]\s*$"
#: Entities and tags of HTML.
_ENTITY = r"&(?:[a-z]{2,8}|#\d{1,5}|#x[0-9a-f]{1,5});"
_MARKUP = rf"(?i){_ENTITY}|</?(?:p|br|b|i|u|em|h\d|ul|li|div|span|strong)\b[^<>]*>"
#: Letters damaged by a wrong encoding: several in place of one ("KÃ¼che"), or a replacement mark.
_OF_ONE = r"[\x{80}-\x{bf}\x{152}-\x{192}\x{2c6}\x{2dc}\x{2013}-\x{203a}\x{20ac}\x{2122}]"
_LOST = (
    rf"\x{{fffd}}|[\x{{c2}}\x{{c3}}]{_OF_ONE}|\x{{e2}}\x{{20ac}}{_OF_ONE}|^[^/=&]*\p{{L}}\?\p{{Ll}}[^/=&]*$"
)
#: Control characters that no text has, where another encoding has letters and marks.
_CONTROLS = r"[\x{80}-\x{9f}]"
_IN_MARKS = r"""(?s)^=?".*"$|^'.*'$"""
#: What values hardly mean to hold, by the share of them from which on it is told.
_DOUBTFUL = (
    (_MARKUP, 0.01, "marks of web pages, which count as words: write {} without"),
    (_LOST, 0.01, "letters that another encoding has damaged, such as {}: export them as UTF-8"),
    (_CONTROLS, 0.01, "control characters, such as {}: a table of cp1252 is not latin-1 (encoding: cp1252)"),
    (_IN_MARKS, 0.5, "quotation marks around their values, and as part of them, such as {}: leave them out"),
)

#: A node of a graph of NVTabular operators, or the list of column names that the graph begins with.
Node = Any


@dataclass(frozen=True)
class Fault:
    """What is wrong with some values of a column.

    Attributes:
        what: the fault, as a statement about a value: "is not a number".
        values: the column or a part of it, indexed by row number.
        wrong: a mask of the `values` that have the fault, bool.
        hint: advice on how to fix it.
    """

    what: str
    values: pd.Series
    wrong: np.ndarray
    hint: str = ""


class WrittenFault(Fault):
    """Lists or objects that are written as text."""

    @classmethod
    def of(cls, values: pd.Series, wrong: np.ndarray) -> WrittenFault:
        """Return the fault of a column, given which of its values are written so."""
        what, hint = name_written(values[wrong])
        return cls(f"is {'an' if what == 'object' else 'a'} {what} written as text", values, wrong, hint)


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

        These are words for a missing value, HTML (which counts as words), damaged letters, quotation marks
        around values, and a few lists or objects written as text.

        Args:
            values: the known values of the column.
            of: the noun for what a value belongs to, "item" or "event".
        """

        def of_them(count: int, has: str = "holds", have: str = "hold") -> str:
            return counted(count, f"{of} {has}", f"{of}s {have}")

        written = written_lists(values)
        if written.any():
            example = repr(shorten(values[written].iloc[0], 60))
            what = name_written(values[written])[0]
            yield f"{of_them(written.sum())} {what}s written as text, read as they stand, such as {example}"
        compared = self.comparable(values)
        if not pa.types.is_string(compared.type):
            return
        met = pc.value_counts(compared)
        for entry in met.filter(pa.array(are_missing_words(met.field("values")))).to_pylist():
            yield (
                f"{of_them(entry['counts'], 'has', 'have')} '{entry['values']}', which is taken for a value: "
                "leave it empty where there is none"
            )
        for pattern, most, what in _DOUBTFUL:
            held = met.filter(pc.fill_null(pc.match_substring_regex(met.field("values"), pattern), False))
            if (count := pc.sum(held.field("counts")).as_py() or 0) > most * len(values):
                example = repr(shorten(held.field("values")[0].as_py(), 60))
                yield f"{of_them(count)} {what.format(example)}"

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


def are_lists(values: pd.Series) -> np.ndarray:
    """Tell which values are lists."""
    return _are(values, lambda value: isinstance(value, list | tuple | np.ndarray))


def are_objects(values: pd.Series, within_lists: bool = False) -> np.ndarray:
    """Tell which values are JSON objects; within lists, also lists that hold objects or lists."""

    def is_object(value: object) -> bool:
        if within_lists and isinstance(value, list | tuple | np.ndarray):
            return any(isinstance(each, dict | list | tuple | np.ndarray) for each in value)
        return isinstance(value, dict)

    return _are(values, is_object)


def _are(values: pd.Series, is_one: Callable[[object], bool]) -> np.ndarray:
    """Apply a test to each value; skip columns that do not hold Python objects of mixed types."""
    if values.dtype != object or not pd.api.types.infer_dtype(values, skipna=False).startswith("mixed"):
        return np.zeros(len(values), dtype=bool)
    return values.map(is_one).to_numpy(bool)


def quoted_lists(values: pd.Series) -> np.ndarray:
    """Tell which texts are certainly lists as programs write them, such as "['new', 'hot']"."""
    return next(_matches(values, _QUOTED_LIST))


def written_lists(values: pd.Series) -> np.ndarray:
    """Tell which texts of a column are lists as programs write them.

    '[new, hot]' may be a name, so it counts only if all of several values look like this.
    """
    quoted, bracketed, several = _matches(values, _QUOTED_LIST, _BRACKETS, _SEVERAL)
    is_column_of_lists = len(values) > 1 and (quoted | bracketed).all() and (quoted | several).any()
    return np.ones(len(values), dtype=bool) if is_column_of_lists else quoted


def name_written(texts: pd.Series) -> tuple[str, str]:
    """Return whether texts are lists or objects as programs write them, "list" or "object", and advice."""
    hold_objects = next(_matches(texts, _OBJECT)).all()
    return ("object", _ON_OBJECTS) if hold_objects else ("list", _ON_LISTS)


def _matches(values: pd.Series, *patterns: str) -> Iterator[np.ndarray]:
    """Yield for each pattern which texts match it, bool; none in columns that hold anything but texts."""
    are_texts = values.dtype == object and pd.api.types.infer_dtype(values, skipna=False) == "string"
    texts = to_arrow(values) if are_texts else None
    for pattern in patterns:
        if texts is None:
            yield np.zeros(len(values), dtype=bool)
        else:
            yield pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
