"""Choose the kind of attribute for a column of the items table, or a reason to leave it out.

Rules are tried in order; the first that returns a choice decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.attributes.raw_values import name_written, written_lists
from m2trec_merlin.columns import are_missing_words, to_arrow
from m2trec_merlin.errors import shorten
from m2trec_merlin.readers.times import DAYS
from m2trec_merlin.shares import percent
from m2trec_merlin.starting.amounts import almost_numbers, numbers
from m2trec_merlin.starting.choice import ChosenKind, is_titled, is_varied
from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.times import times_of

_FILE = r"(?i)(https?://|www\.|s3://|/|data:)?\S+\.(jpe?g|png|gif|webp|svg|html?|pdf|mp4|php)\S*|https?://\S+|www\.\S+"
_BETWEEN = ("|", ">", ";", ",", "/")
#: An entity of HTML, such as `&amp;`, whose semicolon separates nothing.
_ENTITY = r"&#?\w+;"
#: A text with a tag of HTML, and the share of values above which tags are no slip.
_TAG, _FEW_TAGS = r"(?is).*</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>.*", 0.1
#: Mean number of words above which a text is no single value.
_WORDS_OF_A_VALUE = 3.5
#: Share of values with a second mark, parts of which come back, above which it separates values.
_COME_BACK = 0.2
#: Share of different words among different values up to which, and share of words that are a value by
#: themselves from which on, values are lists of words.
_FEW_WORDS, _MOSTLY_ALONE = 0.3, 0.9
_FEW = 30
_FRACTION = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
#: Share of missing values above which a column is left out.
_MOSTLY_MISSING = 0.98


def choose_kind(column: Column, ids: Column) -> ChosenKind:
    """Return the kind that suits a column, or why it is left out.

    Args:
        column: a column of the items table.
        ids: the column of ids, of the same rows.
    """
    if column.is_unique and column.texts.eq(ids.texts.reindex(column.texts.index)).mean() > 0.9:
        return ChosenKind(column, None, f"repeats the ids in '{ids.name}'")
    for rule in _RULES:
        if (choice := rule(column)) is not None:
            return choice
    raise AssertionError("the last rule decides")


def _says_nothing(column: Column) -> ChosenKind | None:
    if not column.distinct or (column.is_list and not len(_arrow(column).flatten().drop_null())):
        return ChosenKind(column, None, "holds no value")
    if column.gaps > _MOSTLY_MISSING:
        return ChosenKind(column, None, f"{percent(column.gaps)} of values are missing")
    if column.distinct == 1 and not column.gaps:
        return ChosenKind(column, None, f"holds {column.examples(1)} in all rows")
    return None


def _arrow(column: Column) -> pa.Array:
    return to_arrow(column.values.dropna())


def _lists(column: Column) -> ChosenKind | None:
    if not column.is_list:
        return None
    lists = _arrow(column)
    lengths, values = pd.Series(pc.list_value_length(lists).to_pandas()), lists.flatten()
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
    # A few texts may look like lists by chance.
    if written.sum() <= len(written) / 2:
        return None
    example = repr(shorten(column.texts[written].iloc[0], 24))
    what, advice = name_written(column.texts[written])
    return ChosenKind(column, None, f"{what}s written as text, {example}: {advice}")


def _dates(column: Column) -> ChosenKind | None:
    if column.numbers is not None and not speaks_of(column.name, "time"):
        return None
    found = times_of(column)
    # A number of days may be an attribute of the item.
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


def _vectors(column: Column) -> ChosenKind | None:
    """Leave out vectors that are written as text."""
    if column.share(rf"{_FRACTION}([\s;|,]+{_FRACTION}){{3,}}") < 0.9:
        return None
    lengths = column.texts.str.split(r"[\s;|,]+", regex=True).str.len()
    # If their lengths differ, they may be measures of any kind.
    if lengths.nunique() > 1 or not column.texts.str.contains(r"\d\.\d").mean() > 0.9:
        return None
    what = f"{lengths.iloc[0]} numbers written as text, {column.examples(1)}"
    return ChosenKind(column, None, f"{what}: write lists in Parquet, for kind vector")


def _several_values(column: Column) -> ChosenKind | None:
    # The characters of HTML tags separate nothing.
    if written_lists(column.texts).any() or column.share(_TAG) > _FEW_TAGS:
        return None
    texts = column.texts.str.replace(_ENTITY, "&", regex=True)
    for separator in _BETWEEN:
        # A mark in only a few values may be part of a title or of a number.
        holding = column.texts[texts.str.contains(separator, regex=False)]
        if len(holding) < (0.2 if separator in "|>;" else 0.3) * len(column.texts):
            continue
        lists = column.texts.str.split(separator, regex=False)
        values = lists.explode().str.strip()
        if separator == "," and (_are_composed(lists) or column.share(r"-?\d+,\d+") > 0.5):
            continue
        if (values == "").mean() > 0.2 or values.str.split().str.len().mean() > _WORDS_OF_A_VALUE:
            continue
        # Single values recur in other combinations; otherwise the text is one category, as "toys, games".
        most = 1.5 * column.distinct + 3 if separator in "|>;" else column.distinct
        if values.nunique() > min(most, max(0.3 * len(values), 3)):
            continue
        if other := _separates_too(values, separator):
            what = f"'{separator}' and '{other}' between values, {holding.iloc[0]!r}: write one of them alone"
            return ChosenKind(column, None, what)
        size = f"{lists.str.len().mean():.1f} values"
        distinct = values.nunique()
        reason = f"{size} with '{separator}' between them, {distinct:,} different"
        settings: dict[str, Any] = {} if separator == "|" else {"separator": separator}
        settings |= _kept(lists.str.len())
        unsure = "" if separator in "|>;" else f"or text or categorical, if '{separator}' separates nothing"
        return ChosenKind(column, "multi_categorical", reason, settings, unsure, distinct)
    return None


def _words_of_a_list(column: Column) -> ChosenKind | None:
    """Take blanks for separators where few words make many values, and nearly each is one by itself, too."""
    # First of each value once: titles, of which there are many, are none.
    distinct = column.counts.index.to_series().str.split().explode().nunique()
    if distinct > _FEW_WORDS * column.distinct:
        return None
    lists = column.texts.str.split()
    lengths = lists.str.len()
    if lists.explode().isin(set(lists[lengths == 1].str[0])).mean() < _MOSTLY_ALONE:
        return None
    settings = {"separator": " ", **_kept(lengths)}
    reason = f"{column.words:.1f} words, {distinct:,} different, in ever other combinations"
    unsure = "or categorical, if blanks separate nothing"
    return ChosenKind(column, "multi_categorical", reason, settings, unsure, distinct)


def _separates_too(values: pd.Series, separator: str) -> str | None:
    """Return another mark that separates values, too, as in fields of several paths, or None.

    Between its parts, it leaves no more different values than there were, and some come back: alone, or
    within the same value.
    """
    known = set(values)
    for other in _BETWEEN:
        parted = [_parts(value, other) for value in known if other in value and other != separator]
        new = {part for parts in parted for part in parts} - known
        back = [len(set(parts)) < len(parts) or not known.isdisjoint(parts) for parts in parted]
        if parted and len(new) <= len(parted) and np.mean(back) > _COME_BACK:
            return other
    return None


def _parts(value: str, mark: str) -> list[str]:
    return [part for each in value.split(mark) if (part := each.strip())]


def _are_composed(lists: pd.Series) -> bool:
    """Tell whether each part always has the same place, as in "Smith, J.", which is one name."""
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
    titled, share = is_titled(column), column.distinct / len(column.texts)
    foreign = not column.texts.map(str.isascii).all() and column.texts.str.len().mean() > 8
    many = share > 0.2 or column.distinct > 1000 or (titled and is_varied(column))
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
    """Return the setting for how many values of an item are kept, if the default is too small."""
    return {"max_tokens": 64} if lengths.max() > 16 else {}


_RULES: tuple[Callable[[Column], ChosenKind | None], ...] = (
    _says_nothing,
    _lists,
    _written_lists,
    _dates,
    _addresses,
    numbers,
    almost_numbers,
    _vectors,
    _several_values,
    _words_of_a_list,
    _codes,
    _words,
    _categories,
)
