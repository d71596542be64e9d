"""The two canonical tables, and the conversion of raw ids.

`interactions`: session_id and item_id (int64 or text, as in the source), position (int64, 0, 1, 2, ... within
a session) and, if the source has times, timestamp; with `data.targets`, whether the event may be a target
(bool); and the raw columns of event attributes, named after these. A session's events are adjacent, in order.
`items`: item_id and the raw attribute columns, one row per item; with `data.listed`, when it was listed.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.columns import to_arrow
from m2trec_merlin.ids import IdIndex
from m2trec_merlin.readers.rounded import are_rounded_ids
from m2trec_merlin.spelling import has_fraction, has_point, text_of_id

SPLITS = ("train", "valid", "test")
#: A number with an exponent, as programs write it.
_WITH_EXPONENT = r"^-?[1-9](?:\.[0-9]+)?[eE]\+[0-9]{2,3}$"


def normalise_ids(values: pd.Series) -> pd.Series:
    """Return ids as Int64 if the source holds whole numbers, else as text; missing and blank ids are null.

    Whole numbers that became floats because some ids are missing count as whole numbers. Digits held as text
    stay text ("007" is not 7). Decimals and unsigned 64-bit numbers become text, as they may not fit; the
    decimal 7.00 is "7".
    """
    whole = pd.api.types.is_integer_dtype(values) or (
        pd.api.types.is_float_dtype(values)
        and values.notna().any()
        and not has_fractions(values).any()
        and (np.abs(values.to_numpy(np.float64, na_value=0)) < 2.0**63).all()
    )
    if whole and str(values.dtype).lower() != "uint64":
        return values.astype("Int64")
    if pd.api.types.infer_dtype(values, skipna=True) == "string":
        texts = to_arrow(values).cast(pa.string())
        said = pc.and_(pc.not_equal(texts, ""), pc.invert(pc.utf8_is_space(texts)))
        return values.astype(object).where(pc.fill_null(said, False).to_numpy(zero_copy_only=False), None)
    text = text_of_id if values.dtype == object else str
    return values.astype(object).where(values.notna(), None).map(text, na_action="ignore")


def id_values(ids: pd.Series) -> np.ndarray:
    """Return ids from `normalise_ids` as int64, or as texts in objects."""
    return ids.to_numpy(np.int64 if ids.dtype == "Int64" else object)


def has_fractions(values: pd.Series) -> np.ndarray:
    """Tell which numbers are not whole, bool; all False for columns of texts."""
    if values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) != "string":
        fractions = values.map(lambda v: has_point(v) and v == v and has_fraction(v))
        return fractions.to_numpy(bool)
    if not pd.api.types.is_float_dtype(values):
        return np.zeros(len(values), dtype=bool)
    numbers = values.to_numpy(np.float64, na_value=np.nan)
    return ~np.isnan(numbers) & (numbers != np.floor(numbers))


def digits_to_integers(ids: pd.Series) -> pd.Series:
    """Return text ids as Int64 if all of them are whole numbers, written as in `in_plain_digits`.

    CSV files have no types, and programs write whole numbers as decimals in files where some are missing.
    """
    plain = in_plain_digits(ids)
    present = plain.dropna().astype(str)
    if len(present) and present.str.fullmatch(r"0|-?[1-9][0-9]{0,17}").all():
        return plain.astype("Int64")
    return ids


def in_plain_digits(ids: pd.Series) -> pd.Series:
    """Replace 12.0, as programs write 12 in a column with gaps, by 12, and 1e+05, as R writes it, by 100000.

    Numbers that may have lost digits stay as they are, for the checks to refuse them.
    """
    if pd.api.types.infer_dtype(ids, skipna=True) not in ("string", "empty"):
        # CSV and Parquet files side by side give texts and numbers in one column; numbers are left as they
        # are.
        is_text = ids.map(lambda value: isinstance(value, str))
        return ids.where(~is_text, in_plain_digits(ids[is_text]))
    texts = pa.array(ids, pa.string(), from_pandas=True)
    if pc.any(pc.ends_with(texts, ".0")).as_py():
        texts = pc.replace_substring_regex(texts, r"^(-?\d+)\.0$", r"\1")
        ids = pd.Series(texts.to_pandas().to_numpy(object), ids.index, name=ids.name)
    short = pc.fill_null(pc.match_substring_regex(texts, _WITH_EXPONENT), False)
    if not pc.any(short).as_py():
        return ids
    exact = short.to_numpy(zero_copy_only=False) & ~are_rounded_ids(ids)
    return ids.where(~exact, ids.where(exact).map(_without_exponent, na_action="ignore"))


def _without_exponent(text: str) -> str:
    number = Decimal(text)
    return text if has_fraction(number) else str(int(number))


class KnownItems:
    """A look-up of ids in the items table, whatever type the interactions hold them in."""

    def __init__(self, item_ids: pd.Series) -> None:
        self.ids = id_values(item_ids.dropna().drop_duplicates())
        self._index = IdIndex(pd.Series(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    def positions(self, item_ids: pd.Series) -> np.ndarray:
        """Return the position of each id in `ids`, int64; -1 if it is missing or unknown.

        If all known ids are whole numbers, the texts 12.0 and 1e+05 mean 12 and 100000.
        """
        if self.ids.dtype == np.int64 and item_ids.dtype == object:
            item_ids = in_plain_digits(item_ids)
        return self._index.find(item_ids).astype(np.int64)
