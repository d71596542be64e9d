"""Find texts that differ by little: two values that are probably one, or one value that is probably two."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.columns import are_missing_words, as_category

#: Share of values above which differing capitals are more than a slip in one item.
_NOTABLE = 0.01
#: Typographic apostrophes and hyphens and sharp s, and what a keyboard has in their place.
_MARKS = {r"[\x{2018}\x{2019}\x{02bc}\x{00b4}`]": "'", r"[\x{2010}-\x{2015}\x{2212}]": "-", "\u00df": "ss"}
#: A number whose fraction is 0, which programs write in columns with gaps.
_WHOLE = r"^(?:-?(0)|(-?[0-9]+))(?:\.0+)?$"
#: A number; where none has a fraction or an exponent, no two are equal.
_NUMBER, _LONGER = r"^-?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?$", r"[.eE]"


def one_number(texts: pa.Array) -> tuple[str, str] | None:
    """Return two texts of a column that are one number, such as 1.1 and 1.10; None if there are none.

    A program writes the numbers of a column with equally many decimals, or without zeros at the end. Only
    people and codes do both. Whole numbers may have a fraction of zeros.

    Args:
        texts: texts as the column holds them; null where missing.
    """
    distinct = pc.unique(pc.replace_substring_regex(texts.drop_null(), _WHOLE, r"\1\2"))
    numbers = distinct.filter(pc.match_substring_regex(distinct, _NUMBER))
    if not pc.any(pc.match_substring_regex(numbers, _LONGER)).as_py():
        return None
    written = numbers.to_pandas().astype(object)
    spelled = as_category(written).to_pandas()
    again = spelled.duplicated()
    if not again.any():
        return None
    other = again.idxmax()
    return written[spelled == spelled[other]].iloc[0], written[other]


def doubts_of_numbers(texts: pa.Array) -> Iterator[str]:
    """Yield a warning if two texts count as one value because they are one number; see `one_number`."""
    if (found := one_number(texts)) is not None:
        one, other = found
        yield (
            f"'{one}' and '{other}' count as one value, as they are one number: if they are two codes, begin "
            f"such codes with a letter ('v{one}')"
        )


def doubts_of_capitals(values: pa.Array) -> Iterator[str]:
    """Yield a warning if values are probably the same, with the most frequent ones as an example.

    Args:
        values: texts, one for each item and value; null where missing.
    """
    counted = pc.value_counts(values.drop_null()).flatten()
    folded = pc.utf8_lower(pc.utf8_normalize(counted[0], "NFKC"))
    for written, mark in _MARKS.items():
        folded = pc.replace_substring_regex(folded, written, mark)
    table = pa.table([*counted, folded], ["text", "count", "folded"])
    # Words for a missing value have a warning of their own, see `Attribute.doubts`.
    table = table.filter(pa.array(~are_missing_words(counted[0])))
    by_count = table.to_pandas().sort_values(["count", "text"], ascending=[False, True])
    alike = by_count[by_count.duplicated("folded", keep=False)]
    rarer = alike[alike.duplicated("folded")]
    if rarer["count"].sum() <= _NOTABLE * by_count["count"].sum():
        return
    other = rarer.iloc[0]
    first = alike[alike["folded"] == other["folded"]].iloc[0]
    by_capitals = first["text"].lower() == other["text"].lower()
    by = "small and capital letters" if by_capitals else "capitals or the form of letters and marks"
    yield (
        f"'{first['text']}' ({first['count']:,}) and '{other['text']}' ({other['count']:,}) are two values; "
        f"{len(rarer):,} of {len(by_count):,} differ from another one by {by} alone: "
        "write those alike that are one"
    )
