"""Values that differ from others by small and capital letters alone, which are values of their own here."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.columns import are_missing_words

#: Share of values from which on other capitals are no slip of one item.
_NOTABLE = 0.01


def doubts_of_capitals(values: pa.Array) -> Iterator[str]:
    """Say that some values are probably one, with the most frequent of them.

    Args:
        values: texts, one for each item and value; null where there is none.
    """
    counted = pc.value_counts(values.drop_null()).flatten()
    table = pa.table([*counted, pc.utf8_lower(counted[0])], ["text", "count", "folded"])
    # Of words for none, it is told that they are values at all.
    table = table.filter(pa.array(~are_missing_words(counted[0])))
    by_count = table.to_pandas().sort_values(["count", "text"], ascending=[False, True])
    alike = by_count[by_count.duplicated("folded", keep=False)]
    rarer = alike[alike.duplicated("folded")]
    if rarer["count"].sum() <= _NOTABLE * by_count["count"].sum():
        return
    other = rarer.iloc[0]
    first = alike[alike["folded"] == other["folded"]].iloc[0]
    yield (
        f"'{first['text']}' ({first['count']:,}) and '{other['text']}' ({other['count']:,}) are two values; "
        f"{len(rarer):,} of {len(by_count):,} differ from another one by small and capital letters alone: "
        "write those alike that are one"
    )
