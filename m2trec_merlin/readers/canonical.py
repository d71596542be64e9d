"""The two canonical tables, and how raw values become theirs.

`interactions`: session_id and item_id (int64 or text, as in the source), position (int64, 0, 1, 2, ... within
a session) and, where the source has times, timestamp; of `data.targets` whether the event may be a target
(bool), and the raw columns of event attributes under the names of these. A session's events lie side by side.
`items`: item_id and the raw attribute columns, one row per item; of `data.listed` since when it is listed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.columns import to_arrow
from m2trec_merlin.ids import IdIndex
from m2trec_merlin.spelling import has_fraction, has_point, text_of_id

SPLITS = ("train", "valid", "test")


def normalise_ids(values: pd.Series) -> pd.Series:
    """Return ids as Int64 if the source holds whole numbers, else as text; missing and blank ones are null.

    Whole numbers that became floats because some ids are missing count as whole numbers, and the decimal 7.00
    is 7. Digits held as text stay text ("007" is not 7), and so do decimals and unsigned 64-bit numbers,
    which may not fit.
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
    """Return text ids as Int64 if every one is a whole number in usual writing, 12, or as 12.0 is.

    CSV files have no types, and programs make decimals of whole numbers with gaps, in some files and not in
    others.
    """
    present = ids.dropna().astype(str)
    if len(present) and present.str.fullmatch(r"(?:0|-?[1-9][0-9]{0,17})(?:\.0)?").all():
        return without_zero_fractions(ids).astype("Int64")
    return ids


def without_zero_fractions(ids: pd.Series) -> pd.Series:
    """Return texts such as 12.0 as 12: programs make decimals of whole numbers with gaps, which CSV keeps."""
    if pd.api.types.infer_dtype(ids, skipna=True) not in ("string", "empty"):
        # Files of CSV and of Parquet side by side: numbers with a fraction are left among the texts.
        is_text = ids.map(lambda value: isinstance(value, str))
        return ids.where(~is_text, without_zero_fractions(ids[is_text]))
    texts = pa.array(ids, pa.string(), from_pandas=True)
    if not pc.any(pc.ends_with(texts, ".0")).as_py():
        return ids
    whole = pc.replace_substring_regex(texts, r"^(-?\d+)\.0$", r"\1")
    return pd.Series(whole.to_pandas().to_numpy(object), ids.index, name=ids.name)


class KnownItems:
    """The ids of the items table, to be looked up whatever type a session writes them in."""

    def __init__(self, item_ids: pd.Series) -> None:
        ids = item_ids.dropna().drop_duplicates()
        self.ids = ids.to_numpy(np.int64 if ids.dtype == "Int64" else object)
        self._index = IdIndex(pd.Series(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    def positions(self, item_ids: pd.Series) -> np.ndarray:
        """Return the place of each id in `ids`, int64; -1 where it is missing or unknown.

        Where all known ones are whole numbers, the text 12.0 is 12.
        """
        if self.ids.dtype == np.int64 and item_ids.dtype == object:
            item_ids = without_zero_fractions(item_ids)
        return self._index.find(item_ids).astype(np.int64)
