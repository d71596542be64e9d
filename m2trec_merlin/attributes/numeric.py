"""Kind `numeric`: a number, such as a price.

Operators: AsNumber -> LogOp (if `log` is set) -> Standardise -> FillMissing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field as Setting

from m2trec_merlin.attributes.base import Attribute, Node
from m2trec_merlin.attributes.profiles import Profile, quantiles
from m2trec_merlin.attributes.raw_values import Fault, are_lists
from m2trec_merlin.columns import are_missing_words, as_doubles, fit_float32, numbers
from m2trec_merlin.encoded import Layout
from m2trec_merlin.frames import Column, Frames

if TYPE_CHECKING:
    from nvtabular import Workflow

#: What pandas' names of types of times begin with; NumPy would take them for numbers.
_TIMES = ("date", "time")
#: The fewest other numbers needed to call one an outlier, and the factor by which it widens their deviation.
_FEW, _FAR = 10, 30
#: Share of the numbers that are called outliers together, as each of several hides the others.
_FARTHEST = 0.005
_WITH_UNIT = r"(?:[€$£¥]|[A-Za-z]{1,3})?\s*[+-]?\d[\d.,]*\s*(?:[€$£¥%]|[A-Za-z]{1,3})?"


class Numeric(Attribute):
    """A number, standardised."""

    kind: Literal["numeric"]
    log: bool = Setting(False, description="take log(1 + x) first")
    decimal: Literal[".", ","] = Setting(
        ".",
        description="what begins the fraction where the table holds text; with ',' points or blanks part "
        "thousands",
    )

    layout: ClassVar[Layout] = Layout.NUMBERS
    is_shown: ClassVar[bool] = True

    @property
    def decimal_mark(self) -> str:
        """The setting `decimal`."""
        return self.decimal

    def reading_settings(self) -> dict[str, Any]:
        """Add `log`, which makes negative numbers invalid, and `decimal`, by which texts are read."""
        return {**super().reading_settings(), "log": self.log, "decimal": self.decimal}

    def faults(self, values: pd.Series) -> Iterator[Fault]:
        """Yield lists, values that are not finite numbers of float32, and negative ones for `log`.

        A blank text is a missing value, as for other kinds.
        """
        is_list = are_lists(values)
        single = values[~is_list & ~_are_blank(values)]
        found = as_doubles(single, self.decimal)
        finite = np.isfinite(found)
        yield Fault("is not a finite number", single, ~finite, self._hint(single, single[~finite]))
        yield Fault("is beyond the numbers of float32 (3.4e38)", single, finite & ~fit_float32(found))
        if self.log:
            yield Fault("is below 0, and log needs numbers of at least 0", single, finite & (found < 0))
        yield Fault("is a list, not a number", values, is_list)

    def doubts(self, values: pd.Series, of: str = "item") -> Iterator[str]:
        """Warn about points that may separate thousands, and about outliers that may stand for missing."""
        if self.decimal == "." and may_have_points_at_thousands(values):
            pointed = values[values.str.contains(".", regex=False)].iloc[0]
            yield f"{pointed!r} is taken for a number below 1,000: if points part thousands, set decimal: ','"
        found = as_doubles(values, self.decimal)
        known = np.log1p(found) if self.log else found
        for number, count, why in [*_outlying(known, found)] or _outlying_together(known, found):
            yield f"{number:.15g} (of {count:,}) is {why}: leave the field empty where it stands for none"

    def value_schema(self) -> dict[str, Any]:
        """Allow numbers, also as text, because CSV has no types."""
        largest = float(np.finfo(np.float32).max)
        sign, least = ("[+]?", 0.0) if self.log else ("[+-]?", -largest)
        digits = r"\d+\.?\d*|\.\d+"
        if self.decimal == ",":
            digits = r"(\d+|[1-9]\d{0,2}((\.\d{3})+|([ \u00a0\u202f]\d{3})+)),?\d*|,\d+"
        written = rf"^\s*({sign}({digits})([eE][+-]?\d+)?\s*)?$"
        return {"type": ["number", "string"], "pattern": written, "minimum": least, "maximum": largest}

    def comparable(self, values: pd.Series) -> pa.Array:
        """Return float64."""
        return self.filter_values(values)

    def profile(self, values: pa.Array, counts: np.ndarray) -> Profile:
        """Return quantiles of the numbers."""
        return Profile(quantiles=quantiles(values.to_numpy(zero_copy_only=False), counts))

    def canonical(self, values: pd.Series) -> pd.Series:
        """Return float64, NaN where missing."""
        return pd.Series(as_doubles(values, self.decimal), index=values.index)

    def _hint(self, values: pd.Series, unusable: pd.Series) -> str:
        """Return advice for a column of another type, or for values in another notation."""
        kind = pd.api.types.infer_dtype(values, skipna=True)
        if kind == "boolean":
            return "kind categorical takes true and false"
        if kind.startswith(_TIMES):
            return "write times as numbers, such as days since a date"
        texts = unusable.astype(str).str.strip()
        if len(texts) and texts.str.fullmatch(_WITH_UNIT).all() and texts.str.contains(r"[^\d.,+\s-]").all():
            return "write the number alone, without currency or unit"
        if self.decimal == ",":
            return "decimal: '.' reads points" if texts.str.fullmatch(r"-?\d+\.\d+").any() else ""
        with_commas = texts[texts.str.fullmatch(r"-?\d+(,\d+)+(\.\d+)?")]
        if len(with_commas):
            # With decimal commas, 1,299 would silently be read as 1.299.
            parts_thousands = with_commas.str.fullmatch(r"-?[1-9]\d{0,2}(,\d{3})+(\.\d+)?").all()
            return "write thousands without commas" if parts_thousands else "decimal: ',' reads commas"
        missing = are_missing_words(pa.array(texts, pa.string()))
        return "leave the field empty where there is no value" if missing.any() else ""

    def encode(self, source: Node, members: Sequence[Attribute], storage: Path) -> Node:
        """Standardise the known numbers."""
        from nvtabular.ops import FillMissing, LogOp

        from m2trec_merlin.attributes.operators import ConvertColumns
        from m2trec_merlin.attributes.standardise import Standardise

        found = source >> ConvertColumns(AsNumber(0 if self.log else None, self.decimal))
        found = found >> LogOp() if self.log else found
        # Filled last: the mean of the known values is 0 by then, and missing values do not shift it.
        return found >> Standardise() >> FillMissing(0)

    def raw_numbers(self, encoded: np.ndarray, workflow: Workflow) -> np.ndarray:
        """Undo the standardisation, and the logarithm if there is one."""
        from m2trec_merlin.attributes.operators import find_operator
        from m2trec_merlin.attributes.standardise import Standardise

        found = find_operator(workflow, self.name, Standardise).undo(self.name, encoded)
        return np.expm1(found) if self.log else found

    def filter_values(self, values: pd.Series) -> pa.Array:
        """Return float64."""
        return numbers(values, decimal=self.decimal)


def _are_blank(values: pd.Series) -> np.ndarray:
    """Tell which values are texts without a letter, bool."""
    if pd.api.types.is_numeric_dtype(values):
        return np.zeros(len(values), bool)
    return np.array([isinstance(value, str) and not value.strip() for value in values], bool)


def may_have_points_at_thousands(values: pd.Series) -> bool:
    """Tell whether points in a column of texts, such as 899 and 1.299, may separate thousands."""
    if pd.api.types.infer_dtype(values, skipna=True) != "string":
        return False
    texts = values.dropna().str.strip()
    texts = texts[texts != ""]
    may_be = texts.str.fullmatch(r"-?[1-9]\d{0,2}(\.\d{3})*|0")
    return bool(may_be.all() and texts.str.contains(".", regex=False).any())


def _outlying(numbers: np.ndarray, named: np.ndarray) -> Iterator[tuple[float, int, str]]:
    """Yield the least or greatest number if it is an outlier, with its count and the reason.

    Args:
        numbers: the numbers to be standardised, after the logarithm if there is one.
        named: the same numbers before the logarithm, for messages.
    """
    finite = np.isfinite(numbers)
    numbers, named = numbers[finite], named[finite]
    for extreme in np.unique([numbers.min(), numbers.max()]) if len(numbers) else ():
        is_other = numbers != extreme
        others, count = numbers[is_other], int((~is_other).sum())
        if len(others) < _FEW or others.min() == others.max():
            continue
        number = float(named[~is_other][0])
        if numbers.std() > _FAR * others.std():
            yield number, count, "so far from all others that these are nearly one beside it"
        elif extreme < 0 <= others.min() and count > 1:
            yield number, count, "the only number below 0"


def _outlying_together(numbers: np.ndarray, named: np.ndarray) -> Iterator[tuple[float, int, str]]:
    """Yield the farthest number likewise, if it is an outlier with others, each of which hides the rest."""
    finite = np.isfinite(numbers)
    numbers, named = numbers[finite], named[finite]
    if len(numbers) <= _FEW:
        return
    far = np.abs(numbers - np.median(numbers))
    others = numbers[far <= np.quantile(far, 1 - _FARTHEST)]
    if 0 < others.std() * _FAR < numbers.std():
        number = float(named[far.argmax()])
        why = "so far from nearly all others, as few more are, that these are nearly one beside it"
        yield number, int((named == number).sum()), why


class AsNumber:
    """Convert values to float64; null where missing, not a number, beyond float32, or below `minimum`.

    The precision is double because sums over the whole column follow.
    """

    dtype, shape, tags = np.float64, (), ()

    def __init__(self, minimum: float | None = None, decimal: str = ".") -> None:
        self.minimum = minimum
        self.decimal = decimal

    def __call__(self, name: str, column: Column, frames: Frames) -> Column:
        """Return float64 values; null where there is no usable number."""
        return frames.numbers(column, self.minimum, self.decimal)
