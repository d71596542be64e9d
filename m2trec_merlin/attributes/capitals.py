"""Find values that differ only in capitals or in the form of marks, and are probably meant to be one."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.columns import are_missing_words

#: Share of values above which differing capitals are more than a slip in one item.
_NOTABLE = 0.01
#: Typographic apostrophes and hyphens and sharp s, and what a keyboard has in their place.
_MARKS = {r"[\x{2018}\x{2019}\x{02bc}\x{00b4}`]": "'", r"[\x{2010}-\x{2015}\x{2212}]": "-", "\u00df": "ss"}


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
