"""Find numbers that lost digits in the source, so that different ones became equal.

Floats hold whole numbers exactly only up to a limit, and programs write long ones as 4.00638E+12. Such a
number has lost digits if fewer are written than it has: 4.006381333E+09 is exact, 4.00638E+09 is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.columns import to_arrow

_SHORT_FLOATS = ("float16", "float32")

#: A number with an exponent, as programs write it: always with a sign.
_WITH_EXPONENT = r"^\s*[+-]?[0-9](?:[.,](?P<fraction>[0-9]+))?(?P<mark>[eE])\+(?P<exponent>[0-9]{1,9})\s*$"
#: From this exponent on, programs write all floats with one, and without the zeros at the end: only fractions
#: with fewer digits than these must have been rounded.
_OF_ANY_FLOAT, _FRACTION_OF_FLOAT = 15, 6
#: R writes 100000 as 1e+05. At most this share of numbers is so round; a program that rounds does it to all.
_FEW = 0.05


def are_rounded_ids(values: pd.Series) -> np.ndarray:
    """Tell which values cannot be ids because they stand for several whole numbers, bool."""
    if values.dtype == object:
        big = [isinstance(value, float) and abs(value) >= _exact_below(np.float64) for value in values]
        return np.array(big, bool) | _lost_digits(values, np.inf)
    if not pd.api.types.is_float_dtype(values):
        return np.zeros(len(values), dtype=bool)
    return _are_inexact(values)


def are_rounded_positions(values: pd.Series) -> np.ndarray:
    """Tell which positions or times of events a program has rounded to too few digits, bool.

    Doubles pass, because their rounding is finer than any clock.
    """
    if values.dtype == object:
        return _lost_digits(values, _OF_ANY_FLOAT)
    is_short = str(values.dtype).lower() in _SHORT_FLOATS
    return _are_inexact(values) if is_short else np.zeros(len(values), dtype=bool)


@dataclass(frozen=True)
class Rounding:
    """What a column that needs all of its digits is checked for.

    Attributes:
        of: function that tells which values have lost digits, bool.
        hint: advice on how to fix them.
    """

    of: Callable[[pd.Series], np.ndarray]
    hint: str
    what: str = "may have lost digits"


IDS = Rounding(
    are_rounded_ids,
    "decimals and numbers such as 4.00638E+12 stand for several ids: write whole numbers or text",
)
POSITIONS = Rounding(
    are_rounded_positions,
    "rounded, several events have the same one: write all digits, or 64-bit numbers in Parquet",
)


def _lost_digits(values: pd.Series, of_any_float: float) -> np.ndarray:
    """Tell which numbers are written with fewer digits than they have, bool.

    Args:
        values: a column of texts.
        of_any_float: the exponent from which on a fraction of six digits is enough.
    """
    exponents, digits, by_r = _with_exponents(values)
    lost = digits < np.where(exponents < of_any_float, exponents, _FRACTION_OF_FLOAT)
    if not lost.any():
        return lost
    return lost & ~by_r if values[lost].nunique() <= _FEW * values.nunique() else lost


def _are_inexact(floats: pd.Series) -> np.ndarray:
    kind = np.dtype(str(floats.dtype).lower())
    return np.abs(floats.to_numpy(kind, na_value=0)) >= _exact_below(kind)


def _exact_below(kind: np.dtype | type) -> float:
    """Return the limit below which a type of floats holds every whole number."""
    return 2.0 ** (np.finfo(kind).nmant + 1)


def _with_exponents(values: pd.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the exponents and the digits of the fractions of numbers such as 4.00638E+12, int64 [n].

    And whether R may have written them, with a small letter where that is shorter than all digits, bool [n].
    Other values have zeros.
    """
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if "mixed" in kind:
        values, kind = values.where(values.map(lambda value: isinstance(value, str))), "string"
    held = to_arrow(values) if kind == "string" else pa.nulls(len(values))
    held = held.cast(pa.string())
    fractions, marks, exponents = pc.extract_regex(held, _WITH_EXPONENT).flatten()
    whole = [part.cast(pa.int64()).fill_null(0).to_numpy() for part in (exponents, pc.utf8_length(fractions))]
    is_small = pc.equal(marks, "e").fill_null(False).to_numpy(zero_copy_only=False)
    with_point = whole[1] + (whole[1] > 0)
    return whole[0], whole[1], is_small & (with_point + len("e+05") < whole[0])
