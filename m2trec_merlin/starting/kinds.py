"""The kind of attribute that suits a column of the items table, or why it is left out.

The rules are asked in order; the first that has an opinion decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.attributes.base import WRITTEN_LISTS_HINT, written_lists
from m2trec_merlin.attributes.numeric import may_have_points_at_thousands
from m2trec_merlin.columns import are_missing_words, to_arrow
from m2trec_merlin.errors import shorten
from m2trec_merlin.readers.times import DAYS
from m2trec_merlin.shares import percent
from m2trec_merlin.spelling import with_point
from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.times import times_of

_FILE = r"(?i)(https?://|www\.|s3://|/|data:)?\S+\.(jpe?g|png|gif|webp|svg|html?|pdf|mp4|php)\S*|https?://\S+|www\.\S+"
_AMOUNT = r"^([€$£¥]|[A-Z]{3})?\s*[\d.,]+\s*([€$£¥%]|[A-Za-z]{1,3})?$"
_DURATION = r"(?i)(?=\d)(\d+\s*h(ours?|rs?)?)?\s*(\d+\s*m(in(utes?|s)?)?)?\s*(\d+\s*s(ec(onds?|s)?)?)?"
_POINTS_AT_THOUSANDS = "or decimal: ',', if its points part thousands"
#: A number whose commas part thousands, or one begins a fraction of three digits.
_PARTED = r"[-+]?[1-9]\d{0,2}(?:,\d{3})+"
_BETWEEN = ("|", ">", ";", ",", "/")
#: As web pages write `&`: its semicolon separates nothing.
_ENTITY = r"&#?\w+;"
#: One of HTML, and the share of values from which on they are no slip.
_TAG, _FEW_TAGS = r"(?is).*</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>.*", 0.1
#: Mean number of words of what is no single value any more.
_WORDS_OF_A_VALUE = 3.5
_FEW = 30
#: Share of missing values above which a column says too little.
_MOSTLY_MISSING = 0.98
#: Share of values that are different above which a column does not sort the items into groups.
_VARIED = 0.05


@dataclass(frozen=True)
class ChosenKind:
    """What becomes of a column.

    Attributes:
        column: of the items table.
        kind: of attribute; None: left out.
        reason: why so.
        settings: of the attribute, besides its name.
        unsure: what a person should look at; empty if nothing.
        values: how many different ones lists are made of; None where a column holds no lists.
    """

    column: Column
    kind: str | None
    reason: str
    settings: dict[str, Any] = field(default_factory=dict)
    unsure: str = ""
    values: int | None = None

    @property
    def n_values(self) -> int:
        """How many different values items have."""
        return self.column.distinct if self.values is None else self.values

    @property
    def is_title(self) -> bool:
        """Whether it is text under a name that titles have."""
        return self.kind == "text" and speaks_of(self.column.name, "title")

    @property
    def names_items(self) -> bool:
        """Whether people know an item by it: varied texts under a name that titles have."""
        column = self.column
        titled = _is_titled(column) and not speaks_of(column.name, "code")
        return titled and not column.is_list and column.numbers is None and _is_varied(column)

    @property
    def is_category(self) -> bool:
        """Whether it has one value, or several, under a name that categories have."""
        named = speaks_of(self.column.name, "category")
        return self.kind in ("categorical", "multi_categorical") and named


def _is_titled(column: Column) -> bool:
    return speaks_of(column.name, "title") and not speaks_of(column.name, "category", "quantity")


def _names_something(column: Column) -> bool:
    """Tell whether numbers are codes or persons, by the name of their column."""
    return speaks_of(column.name, "code", "category", "user")


def _is_varied(column: Column) -> bool:
    return column.distinct > _VARIED * len(column.texts)


def choose_kind(column: Column, ids: Column) -> ChosenKind:
    """Return the kind that suits a column, or why there is none.

    Args:
        column: of the items table.
        ids: the column of ids, of the same rows.
    """
    if column.is_unique and column.texts.eq(ids.texts.reindex(column.texts.index)).mean() > 0.9:
        return ChosenKind(column, None, f"repeats the ids in '{ids.name}'")
    for rule in _RULES:
        if (choice := rule(column)) is not None:
            return choice
    raise AssertionError("the last rule decides")


def _says_nothing(column: Column) -> ChosenKind | None:
    if not column.distinct:
        return ChosenKind(column, None, "holds no value")
    if column.gaps > _MOSTLY_MISSING:
        return ChosenKind(column, None, f"{percent(column.gaps)} of values are missing")
    if column.distinct == 1 and not column.gaps:
        return ChosenKind(column, None, f"holds {column.examples(1)} in all rows")
    return None


def _lists(column: Column) -> ChosenKind | None:
    if not column.is_list:
        return None
    lists = to_arrow(column.values.dropna())
    lengths, values = pd.Series(pc.list_value_length(lists).to_pandas()), lists.flatten()
    if not len(values.drop_null()):
        return ChosenKind(column, None, "holds no value")
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        if not np.isfinite(values.to_numpy(zero_copy_only=False)).all():
            return ChosenKind(column, None, "lists with values that are not finite numbers")
        if lengths.nunique() == 1 and lengths.iloc[0] > 3:
            size, gaps = int(lengths.iloc[0]), "; zeros where missing" if column.gaps else ""
            return ChosenKind(column, "vector", f"lists of {size} numbers{gaps}", {"size": size})
        if (values.to_numpy() % 1).any():
            return ChosenKind(column, None, "lists of numbers of different lengths")
    texts = pd.Series(values.drop_null().to_pandas())
    if pd.api.types.infer_dtype(texts) == "string" and texts.str.split().str.len().mean() > _WORDS_OF_A_VALUE:
        what = f"lists of sentences, {column.examples(1)}: join those of an item to one text, for kind text"
        return ChosenKind(column, None, what)
    distinct = texts.nunique()
    reason = f"lists of {lengths.mean():.1f} values on average, {distinct:,} different"
    return ChosenKind(column, "multi_categorical", reason, _kept(lengths), values=distinct)


def _written_lists(column: Column) -> ChosenKind | None:
    written = written_lists(column.texts)
    # Of texts a few may well look so.
    if written.sum() <= len(written) / 2:
        return None
    example = repr(shorten(column.texts[written].iloc[0], 24))
    return ChosenKind(column, None, f"lists written as text, {example}: {WRITTEN_LISTS_HINT}")


def _dates(column: Column) -> ChosenKind | None:
    if column.numbers is not None and not speaks_of(column.name, "time"):
        return None
    found = times_of(column)
    # A number of days is one of an item, too.
    if column.is_time or (found is not None and found.time_format != DAYS):
        reason = (
            "dates or times, for which there is no kind: a number, such as days since release, can be used, "
            "and data.listed takes since when items are listed"
        )
        return ChosenKind(column, None, reason)
    return None


def _addresses(column: Column) -> ChosenKind | None:
    if column.share(_FILE) > 0.8:
        return ChosenKind(column, None, f"addresses of pages or files, {column.examples(1)}")
    return None


def _numbers(column: Column) -> ChosenKind | None:
    settings: dict[str, Any] = {}
    if (numbers := column.numbers) is None:
        if (numbers := _with_decimal_commas(column)) is None:
            return None
        settings = {"decimal": ","}
    if len(column.texts) < column.values.notna().sum():
        return ChosenKind(column, None, "numbers, but for blanks: leave the fields empty to use it")
    if np.abs(numbers).max() > np.finfo(np.float32).max:
        return ChosenKind(column, None, "holds numbers beyond those of float32 (3.4e38)")
    is_quantity, described = speaks_of(column.name, "quantity"), f"{column.distinct:,} different numbers"
    if column.whole_numbers is not None and not is_quantity:
        if column.is_unique and len(column.texts) > _FEW:
            return ChosenKind(
                column, None, f"a number of its own for each item, {column.examples(1)}: a code"
            )
        if _names_something(column):
            return ChosenKind(column, "categorical", f"{column.distinct:,} numbers that name something")
        if column.distinct <= _FEW or column.distinct * 5 <= len(column.texts):
            reason = f"{column.distinct:,} whole numbers, repeated: taken for codes"
            return ChosenKind(column, "categorical", reason, unsure="or numeric, if the numbers are amounts")
    skewed = numbers.min() >= 0 and numbers.max() > 10 * max(float(np.median(numbers)), 1e-9)
    reason = f"{described} from {numbers.min():g} to {numbers.max():g}"
    unsure = _POINTS_AT_THOUSANDS if not settings and may_have_points_at_thousands(column.values) else ""
    if skewed:
        settings, reason = {"log": True, **settings}, f"{reason}, most of them small"
    return ChosenKind(column, "numeric", reason, settings, unsure)


def _with_decimal_commas(column: Column) -> np.ndarray | None:
    """Return numbers such as 1.234,50; None if there are others, or if the commas may part thousands."""
    if column.share(r"-?([1-9]\d{0,2}(\.\d{3})+|\d+)(,\d+)?") < 1 or column.share(rf"-?\d+|{_PARTED}") == 1:
        return None
    with_comma = column.texts.str.contains(",").any()
    return column.texts.map(with_point).astype(float).to_numpy() if with_comma else None


def _almost_numbers(column: Column) -> ChosenKind | None:
    """Numbers in a writing that is not read: commas at thousands, units, words for what is missing."""
    with_commas = column.texts[column.texts.str.contains(",")]
    if len(with_commas) and column.share(rf"-?\d+(\.\d+)?|{_PARTED}(\.\d+)?") > 0.9:
        what = f"numbers with commas at thousands, {with_commas.iloc[0]!r}: leave these out"
        if not with_commas.str.contains(r",.*[,.]").any():
            what += ", or use kind numeric with decimal: ',' if they begin fractions"
        return ChosenKind(column, None, what)
    found = pd.to_numeric(column.texts, errors="coerce")
    others = column.texts[found.isna()]
    if (
        0 < len(others) < 0.5 * len(column.texts)
        and not _names_something(column)
        and found.nunique() > _FEW
        and not column.are_codes
    ):
        words = ", ".join(map(repr, others.value_counts().index[:3]))
        reason = f"numbers, but for {len(others):,} values such as {words}: leave the fields empty to use it"
        return ChosenKind(column, None, reason)
    if column.share(_DURATION) > 0.9:
        return ChosenKind(column, None, f"durations, {column.examples(1)}: write them as numbers of one unit")
    # One unit for all: sizes in ounces and pounds are words.
    unit = column.texts.str.extract(_AMOUNT).dropna(how="all").fillna("").agg("".join, axis=1)
    if len(unit) > 0.9 * len(column.texts) and unit.value_counts(normalize=True).iloc[0] > 0.9:
        return ChosenKind(column, None, f"numbers with a unit, {column.examples(1)}: write the number alone")
    return None


def _several_values(column: Column) -> ChosenKind | None:
    # Signs of HTML separate nothing.
    if written_lists(column.texts).any() or column.share(_TAG) > _FEW_TAGS:
        return None
    texts = column.texts.str.replace(_ENTITY, "&", regex=True)
    for separator in _BETWEEN:
        # A mark that stands in some values only may be part of a title or of a number.
        holding = column.texts[texts.str.contains(separator, regex=False)]
        if len(holding) < (0.2 if separator in "|>;" else 0.3) * len(column.texts):
            continue
        lists = column.texts.str.split(separator, regex=False)
        values = lists.explode().str.strip()
        if separator == "," and _are_composed(lists):
            continue
        if (values == "").mean() > 0.2 or values.str.split().str.len().mean() > _WORDS_OF_A_VALUE:
            continue
        # Values come back in other company; what never does is one category, such as "toys, games".
        most = 1.5 * column.distinct + 3 if separator in "|>;" else column.distinct
        if values.nunique() > min(most, max(0.3 * len(values), 3)):
            continue
        size = f"{lists.str.len().mean():.1f} values"
        distinct = values.nunique()
        reason = f"{size} with '{separator}' between them, {distinct:,} different"
        settings: dict[str, Any] = {} if separator == "|" else {"separator": separator}
        settings |= _kept(lists.str.len())
        unsure = "" if separator in "|>;" else f"or text or categorical, if '{separator}' separates nothing"
        return ChosenKind(column, "multi_categorical", reason, settings, unsure, distinct)
    return None


def _are_composed(lists: pd.Series) -> bool:
    """Tell whether parts have places of their own, as in "Smith, J.", which is one name."""
    if lists.str.len().nunique() > 1:
        return False
    places = [set(lists.str[place].str.strip()) for place in range(len(lists.iloc[0]))]
    return len(set.union(*places)) == sum(map(len, places))


def _codes(column: Column) -> ChosenKind | None:
    slug = column.share(r"[^\W_A-Z]+([-_][^\W_A-Z]+)+") > 0.9
    if column.is_unique and len(column.texts) > _FEW and (column.are_codes or slug):
        return ChosenKind(column, None, f"a code of its own for each item, {column.examples(1)}")
    return None


def _words(column: Column) -> ChosenKind | None:
    titled, share = _is_titled(column), column.distinct / len(column.texts)
    foreign = not column.texts.map(str.isascii).all() and column.texts.str.len().mean() > 8
    many = share > 0.2 or column.distinct > 1000 or (titled and _is_varied(column))
    if ((column.words >= 2 or foreign) and (many or column.words > 6)) or (titled and share > 0.5):
        reason = (
            f"{column.distinct:,} different of {len(column.texts):,}, {column.words:.1f} words on average"
        )
        long = column.texts.str.split().str.len().quantile(0.9)
        return ChosenKind(
            column, "text", reason, {"max_tokens": 64 if long > 24 else 32} if long > 10 else {}
        )
    return None


def _categories(column: Column) -> ChosenKind | None:
    reason = f"{column.distinct:,} values, the most frequent {column.examples(1)}"
    if column.gaps > 0:
        reason += f"; {percent(column.gaps)} missing"
    unsure = ""
    if column.is_unique and len(column.texts) > _FEW:
        unsure = "or text, or left out: hardly a value repeats"
    named = column.counts.index[are_missing_words(pa.array(column.counts.index, pa.string()))]
    if len(named):
        unsure = f"{named[0]!r} counts as a value; leave the fields empty if it means that there is none"
    return ChosenKind(column, "categorical", reason, unsure=unsure)


def _kept(lengths: pd.Series) -> dict[str, int]:
    """Return how many values of an item are kept, where some have more than the default."""
    return {"max_tokens": 64} if lengths.max() > 16 else {}


_RULES: tuple[Callable[[Column], ChosenKind | None], ...] = (
    _lists,
    _says_nothing,
    _written_lists,
    _dates,
    _addresses,
    _numbers,
    _almost_numbers,
    _several_values,
    _codes,
    _words,
    _categories,
)
