"""Choose the kind of attribute for columns of numbers, or almost numbers, or a reason to leave them out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from m2trec_merlin.attributes.alike import one_number
from m2trec_merlin.attributes.numeric import may_have_points_at_thousands
from m2trec_merlin.spelling import number_in
from m2trec_merlin.starting.choice import ChosenKind, names_something
from m2trec_merlin.starting.look import CODE, Column
from m2trec_merlin.starting.names import speaks_of

_CURRENCY = r"[^\W\d_]{0,3}[€$£¥]|[A-Za-z]{1,3}\s"
#: Letters right before a number, as in n277.200. If its fraction is shorter, v1.1 is more likely a code.
_LETTERS = r"[A-Za-z]{1,3}(?=\d+[.,]\d\d)"
_WITH_UNIT = r"^({})?\s*[\d.,]+(?:[ \u00a0\u202f]\d{{3}})*(?:[.,]\d*)?-?\s*([€$£¥%]|[^\W\d_]{{1,3}})?$"
_DURATION = r"(?i)(?=\d)(\d+\s*h(ours?|rs?)?)?\s*(\d+\s*m(in(utes?|s)?)?)?\s*(\d+\s*s(ec(onds?|s)?)?)?"
#: A zero before further digits, which no program writes of an amount.
_ZERO_BEFORE = r"0\d"
#: Numbers that say yes or no.
_FLAGS = frozenset((0, 1))
_MAY_BE_AMOUNTS = "or numeric, if the numbers are amounts"
_POINTS_AT_THOUSANDS = "or decimal: ',', if its points part thousands"
#: A number whose commas separate thousands, or whose comma begins a fraction of three digits.
_PARTED = r"[-+]?[1-9]\d{0,2}(?:,\d{3})+"
#: A number with apostrophes at thousands, as Swiss programs write it.
_BY_APOSTROPHES = r"[-+]?[1-9]\d{0,2}(?:['\u2019]\d{3})+(?:[.,]\d+)?"
#: Share of values above which a suffix is a unit; in a few values it may be part of a code.
_HAVE_A_UNIT = 0.3
#: So many different numbers, or fewer, may be codes.
_FEW = 30
#: As long as the numbers of bar codes, which nothing amounts to.
_LONG = 1e11
#: Share of these that are different from which on they are as good as ids.
_OWN = 0.9


def numbers(column: Column) -> ChosenKind | None:
    """Choose for a column that holds only numbers; None for other columns."""
    settings: dict[str, Any] = {}
    if (found := column.numbers) is None:
        if (found := with_decimal_commas(column)) is None:
            return None
        settings = {"decimal": ","}
    if len(column.texts) < column.values.notna().sum():
        return ChosenKind(column, None, "numbers, but for blanks: leave the fields empty to use it")
    if np.abs(found).max() > np.finfo(np.float32).max:
        return ChosenKind(column, None, "holds numbers beyond those of float32 (3.4e38)")
    is_quantity, described = speaks_of(column.name, "quantity"), f"{column.distinct:,} different numbers"
    alike = None if is_quantity else one_number(pa.array(column.counts.index, pa.string()))
    are_few = column.distinct <= _FEW or column.distinct * 5 <= len(column.texts)
    if not is_quantity and column.whole_numbers is not None:
        is_long = bool(np.median(np.abs(found)) >= _LONG)
        # Programs that write long numbers as floats round them, so that some stand there twice.
        is_own = column.is_unique or (is_long and column.distinct > _OWN * len(column.texts))
        if is_own and len(column.texts) > _FEW:
            return ChosenKind(
                column, None, f"a number of its own for each item, {column.examples(1)}: a code"
            )
        if is_long or names_something(column):
            return ChosenKind(column, "categorical", f"{column.distinct:,} numbers that name something")
        if are_few:
            reason = f"{column.distinct:,} whole numbers, repeated: taken for codes"
            unsure = "" if _FLAGS.issuperset(found) else _MAY_BE_AMOUNTS
            return ChosenKind(column, "categorical", reason, unsure=unsure)
    elif not is_quantity and names_something(column) and (alike or are_few):
        # Shares and means may be called so, too, but these hardly repeat.
        reason = f"{column.distinct:,} numbers with fractions that name something"
        are_codes = alike or column.texts.str.match(_ZERO_BEFORE).any()
        return ChosenKind(column, "categorical", reason, unsure="" if are_codes else _MAY_BE_AMOUNTS)
    skewed = found.min() >= 0 and found.max() > 10 * max(float(np.median(found)), 1e-9)
    reason = f"{described} from {found.min():g} to {found.max():g}"
    unsure = f"or categorical, if {alike[0]!r} and {alike[1]!r} are two codes" if alike else ""
    if not settings and may_have_points_at_thousands(column.values):
        unsure = _POINTS_AT_THOUSANDS
    if skewed:
        settings, reason = {"log": True, **settings}, f"{reason}, most of them small"
    return ChosenKind(column, "numeric", reason, settings, unsure)


def with_decimal_commas(column: Column) -> pd.Series | None:
    """Parse numbers such as 1.234,50; None if a text is no number, or commas may separate thousands."""
    if not column.texts.str.contains(",").any() or column.share(rf"-?\d+|{_PARTED}") == 1:
        return None
    found = _by_decimal_commas(column)
    return None if found.isna().any() else found


def _by_decimal_commas(column: Column) -> pd.Series:
    """Parse texts as numbers with decimal commas; NaN for other texts."""
    return column.texts.map({text: number_in(text, ",") for text in column.counts.index}).astype(float)


def almost_numbers(column: Column) -> ChosenKind | None:
    """Choose for numbers in a notation that cannot be read: with marks at thousands, units, or words."""
    with_commas = column.texts[column.texts.str.contains(",")]
    if len(with_commas) and column.share(rf"-?\d+(\.\d+)?|{_PARTED}(\.\d+)?") > 0.9:
        what = f"numbers with commas at thousands, {with_commas.iloc[0]!r}: leave these out"
        if not with_commas.str.contains(r",.*[,.]").any():
            what += ", or use kind numeric with decimal: ',' if they begin fractions"
        return ChosenKind(column, None, what)
    with_marks = column.texts[column.texts.str.fullmatch(_BY_APOSTROPHES)]
    if len(with_marks) and column.share(rf"-?\d+([.,]\d+)?|{_BY_APOSTROPHES}") > 0.9:
        return ChosenKind(
            column, None, f"numbers with apostrophes at thousands, {with_marks.iloc[0]!r}: leave these out"
        )
    as_written = (pd.to_numeric(column.texts, errors="coerce"), _by_decimal_commas(column))
    found = max(as_written, key=lambda each: each.notna().sum())
    others = column.texts[found.isna()]
    if (
        0 < len(others) < 0.5 * len(column.texts)
        and not names_something(column)
        and found.nunique() > _FEW
        and not _are_codes(found, others)
    ):
        words = ", ".join(map(repr, others.value_counts().index[:3]))
        reason = f"numbers, but for {len(others):,} values such as {words}: leave the fields empty to use it"
        return ChosenKind(column, None, reason)
    if column.share(_DURATION) > 0.9:
        return ChosenKind(column, None, f"durations, {column.examples(1)}: write them as numbers of one unit")
    # Nearly all values with a unit must have the same one: sizes in ounces and pounds are words.
    amount = _WITH_UNIT.format(_CURRENCY if names_something(column) else f"{_CURRENCY}|{_LETTERS}")
    parts = column.texts.str.extract(amount).fillna("")
    unit = (parts[0] + parts[1]).str.strip().loc[lambda each: each != ""]
    has_unit = len(unit) > _HAVE_A_UNIT * len(column.texts)
    if has_unit and column.share(amount) > 0.9 and unit.value_counts(normalize=True).iloc[0] > 0.9:
        return ChosenKind(column, None, f"numbers with a unit, {column.examples(1)}: write the number alone")
    return None


def _are_codes(found: pd.Series, others: pd.Series) -> bool:
    """Tell whether the other values show that the numbers are codes, as 1234-A does for 1234."""
    return not (found % 1 > 0).any() and others.str.fullmatch(CODE).mean() > 0.5
