"""Kind `multi_categorical`: several values per item, such as tags. Operators: SplitValues -> Categories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field as Setting

from m2trec_merlin.attributes.alike import doubts_of_capitals, doubts_of_numbers
from m2trec_merlin.attributes.base import Attribute, Embedding, Node
from m2trec_merlin.attributes.profiles import Profile, most_frequent, quantiles
from m2trec_merlin.attributes.raw_values import Fault, WrittenFault, are_lists, are_objects, quoted_lists
from m2trec_merlin.columns import split_texts, split_values
from m2trec_merlin.encoded import Field, Layout
from m2trec_merlin.frames import Column, Frames
from m2trec_merlin.merlin_adapter import LIST_FILLER
from m2trec_merlin.sections import Count, Name, Width

if TYPE_CHECKING:
    from nvtabular import Workflow

#: Usual separators, and the share of values above which one of them is no coincidence.
_SEPARATORS, _NOTABLE = ("|", ";", ",", ">", "/"), 0.2
_ALL_VALUES = 2**31 - 1
#: Joins the values of an item to one text for comparison; real values do not contain it.
_UNIT_SEPARATOR = "\x1f"


class MultiCategorical(Attribute):
    """Several values of a vocabulary, in a list or in one string."""

    kind: Literal["multi_categorical"]
    max_tokens: int = Setting(16, ge=1, le=10_000, description="values kept of an item")
    separator: Name = Setting("|", description="separates values held in one string")
    min_count: Count = Setting(1, description="rarer values count as out of vocabulary")
    dim: Width | None = Setting(None, description="embedding width; default: by vocabulary size")
    pooling: Literal["mean", "max"] = "mean"

    layout: ClassVar[Layout] = Layout.ID_LISTS
    names_values: ClassVar[bool] = True
    is_shown: ClassVar[bool] = True

    @property
    def embedding(self) -> Embedding:
        """One vector per value, pooled."""
        return Embedding(self.dim, self.pooling)

    def faults(self, values: pd.Series) -> Iterator[Fault]:
        """Yield lists written as text, which would count as one value, and objects or nested lists."""
        yield WrittenFault.of(values, quoted_lists(values))
        odd = are_objects(values, within_lists=True)
        yield Fault("is neither a value nor a list of values", values, odd)

    def doubts(self, values: pd.Series, of: str = "item") -> Iterator[str]:
        """Warn also about values that are probably the same, or not, and about another likely separator."""
        yield from super().doubts(values, of)
        yield from doubts_of_capitals(self.filter_values(values).flatten())
        yield from doubts_of_numbers(split_texts(values, self.separator)[0])
        texts = values[~are_lists(values)].astype(str)
        holding = {mark: int(texts.str.contains(mark, regex=False).sum()) for mark in _SEPARATORS}
        other = max(holding, key=holding.__getitem__)
        if (
            holding[other] > _NOTABLE * len(texts)
            and not texts.str.contains(self.separator, regex=False).any()
        ):
            yield (
                f"no value holds the separator '{self.separator}' of attribute '{self.name}', and "
                f"{holding[other]:,} hold '{other}': does that separate values? Then set separator: '{other}'"
            )

    def value_schema(self) -> dict[str, Any]:
        """Allow lists of single values besides single values."""
        single = super().value_schema()["type"]
        return {"type": [*single, "array"], "items": {"type": [*single, "null"]}}

    def comparable(self, values: pd.Series) -> pa.Array:
        """Join the values of each item into one text."""
        lists = self.filter_values(values)
        joined = pc.binary_join(lists, _UNIT_SEPARATOR)
        return pc.if_else(pc.equal(joined, ""), pa.scalar(None, joined.type), joined)

    def spell(self, value: object) -> str:
        """Separate the values by commas."""
        return super().spell(value).replace(_UNIT_SEPARATOR, ", ")

    def profile(self, values: pa.Array, counts: np.ndarray) -> Profile:
        """Count single values, and the number of values per item."""
        lists = pc.split_pattern(values, _UNIT_SEPARATOR)
        lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
        single = lists.flatten().dictionary_encode()
        # An item that names a value twice has it once.
        n_values = max(len(single.dictionary), 1)
        held = np.unique(np.repeat(np.arange(len(lists)), lengths) * n_values + single.indices.to_numpy())
        item, value = np.divmod(held, n_values)
        items_of = np.bincount(value, counts[item], minlength=len(single.dictionary))
        return Profile(
            most_frequent(single.dictionary, items_of),
            lengths=quantiles(lengths, counts),
            counted="values",
            too_long=int(counts[lengths > self.max_tokens].sum()),
        )

    def encode(self, source: Node, members: Sequence[Attribute], storage: Path) -> Node:
        """Split strings, then number the values."""
        from m2trec_merlin.attributes.categories import categorify
        from m2trec_merlin.attributes.operators import ConvertColumns

        split = SplitValues(self.separator, self.max_tokens)
        return source >> ConvertColumns(split) >> categorify(storage, self.min_count)

    def write_vocabulary(self, workflow: Workflow, folder: Path) -> Field:
        """Write the value of each id."""
        from m2trec_merlin.attributes.categories import write_categories

        return Field(self.name, self.layout, write_categories(workflow, self.name, folder))

    def filter_values(self, values: pd.Series) -> pa.Array:
        """Return the list of all values of each item, as texts."""
        return split_values(values, self.separator, _ALL_VALUES)


class SplitValues:
    """Convert several values per row, given as a list or as one separated string, to a list of strings.

    Args:
        separator: the text between the values of one string.
        max_values: the number of values kept per row; the first ones are kept.
    """

    dtype, tags = np.str_, ()

    def __init__(self, separator: str, max_values: int) -> None:
        self.separator = separator
        self.max_values = max_values
        self.shape = ((1, max_values),)

    def __call__(self, name: str, column: Column, frames: Frames) -> Column:
        """Return lists of strings; [LIST_FILLER] for a row without values."""
        return frames.split(column, name, self.separator, self.max_values, LIST_FILLER)
