"""Kind `categorical`: one value per item, such as a brand. Operators: AsText -> Categories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import pandas as pd
import pyarrow as pa
from pydantic import Field as Setting

from m2trec_merlin.attributes.alike import doubts_of_capitals, doubts_of_numbers
from m2trec_merlin.attributes.base import Attribute, Embedding, Node
from m2trec_merlin.columns import as_category, as_text
from m2trec_merlin.encoded import Field, Layout
from m2trec_merlin.sections import Count, Width

if TYPE_CHECKING:
    from nvtabular import Workflow


class Categorical(Attribute):
    """One value of a vocabulary."""

    kind: Literal["categorical"]
    min_count: Count = Setting(1, description="rarer values count as out of vocabulary")
    dim: Width | None = Setting(None, description="embedding width; default: by vocabulary size")

    layout: ClassVar[Layout] = Layout.IDS
    names_values: ClassVar[bool] = True
    is_shown: ClassVar[bool] = True

    @property
    def embedding(self) -> Embedding:
        """One vector per value."""
        return Embedding(self.dim)

    def doubts(self, values: pd.Series, of: str = "item") -> Iterator[str]:
        """Warn also about values that are probably the same, or are probably not."""
        yield from super().doubts(values, of)
        yield from doubts_of_capitals(self.comparable(values))
        yield from doubts_of_numbers(as_text(values))

    def comparable(self, values: pd.Series) -> pa.Array:
        """Return each value in its canonical spelling."""
        return as_category(values)

    def encode(self, source: Node, members: Sequence[Attribute], storage: Path) -> Node:
        """Spell values as text, then number them."""
        from m2trec_merlin.attributes.categories import categorify
        from m2trec_merlin.attributes.operators import AsText, ConvertColumns

        return source >> ConvertColumns(AsText()) >> categorify(storage, self.min_count)

    def write_vocabulary(self, workflow: Workflow, folder: Path) -> Field:
        """Write the value of each id."""
        from m2trec_merlin.attributes.categories import write_categories

        return Field(self.name, self.layout, write_categories(workflow, self.name, folder))

    def filter_values(self, values: pd.Series) -> pa.Array:
        """Return texts."""
        return as_category(values)
