"""Kind `numeric`: a number, such as a price. AsNumber -> LogOp, if asked for -> Normalize -> FillMissing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field as Setting

from m2trec_merlin.attributes.base import Attribute, Fault, Node, are_lists
from m2trec_merlin.attributes.profiles import Profile, quantiles
from m2trec_merlin.columns import numbers
from m2trec_merlin.encoded import Layout
from m2trec_merlin.frames import Column, Frames


class Numeric(Attribute):
    """A number, standardised."""

    kind: Literal["numeric"]
    log: bool = Setting(False, description="take log(1 + x) first")

    layout: ClassVar[Layout] = Layout.NUMBERS
    is_shown: ClassVar[bool] = True

    def reading_settings(self) -> dict[str, Any]:
        """Whether numbers below 0 are valid depends on `log`."""
        return {**super().reading_settings(), "log": self.log}

    def faults(self, values: pd.Series) -> Iterator[Fault]:
        """Yield lists, what is no finite number, and what has no logarithm."""
        is_list = are_lists(values)
        single = values[~is_list]
        found = numbers(single).to_numpy(zero_copy_only=False)
        unusable = ~np.isfinite(found)
        yield Fault("is not a finite number", single, unusable)
        if self.log:
            yield Fault("is below 0, and log needs numbers of at least 0", single, ~unusable & (found < 0))
        yield Fault("is a list, not a number", values, is_list)

    def value_schema(self) -> dict[str, Any]:
        """Return numbers, also as text, since CSV has no types."""
        sign, least = ("[+]?", {"minimum": 0}) if self.log else ("[+-]?", {})
        written = rf"^\s*({sign}(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*)?$"
        return {"type": ["number", "string"], "pattern": written, **least}

    def comparable(self, values: pd.Series) -> pa.Array:
        """Return float64."""
        return numbers(values)

    def profile(self, values: pa.Array, counts: np.ndarray) -> Profile:
        """Say how the numbers are distributed."""
        return Profile(quantiles=quantiles(values.to_numpy(zero_copy_only=False), counts))

    def canonical(self, values: pd.Series) -> pd.Series:
        """Return float64, NaN where missing."""
        found = pd.to_numeric(values).to_numpy(np.float64, na_value=np.nan)
        return pd.Series(found, index=values.index)

    def encode(self, source: Node, members: Sequence[Attribute], storage: Path) -> Node:
        """Standardise the known numbers."""
        from nvtabular.ops import FillMissing, LogOp, Normalize

        from m2trec_merlin.attributes.operators import ConvertColumns

        found = source >> ConvertColumns(AsNumber(minimum=0 if self.log else None))
        found = found >> LogOp() if self.log else found
        # Filled last: the mean of the known values is then 0, and does not depend on the missing ones.
        return found >> Normalize(out_dtype=np.float32) >> FillMissing(0)

    def filter_values(self, values: pd.Series) -> pa.Array:
        """Return float64."""
        return numbers(values)


class AsNumber:
    """Numbers as float64; NaN where missing, infinite, not a number, or below `minimum`.

    Double precision, since sums over the whole column follow.
    """

    dtype, shape, tags = np.float64, (), ()

    def __init__(self, minimum: float | None = None) -> None:
        self.minimum = minimum

    def __call__(self, name: str, column: Column, frames: Frames) -> Column:
        """Return float64 values, null where there is no usable number."""
        return frames.numbers(column, self.minimum)
