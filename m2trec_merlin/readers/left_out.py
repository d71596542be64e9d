"""Events of items that nobody described, where they may be left out: how many, and why perhaps."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import pandas as pd

from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.readers.canonical import KnownItems, normalise_ids
from m2trec_merlin.readers.near_ids import explain_unknown
from m2trec_merlin.readers.problems import SHOWN

#: Ids of items with which one that is unknown is compared.
_COMPARED = 10_000


@dataclass
class LeftOut:
    """Events left out because `drop_unknown_items` asks for it.

    Attributes:
        seen: all events, those that stay included.
        unknown: events of items that are not known.
        missing: events that name no item.
        example: of an unknown item, and what is near it.
    """

    seen: int = 0
    unknown: int = 0
    missing: int = 0
    example: str = ""

    def drop(self, rows: pd.DataFrame, known: KnownItems) -> pd.DataFrame:
        """Count the events of items that are not known, and return the others."""
        ids = normalise_ids(rows[ITEM_ID])
        missing = ids.isna().to_numpy()
        unknown = (known.positions(ids) < 0) & ~missing
        self.seen += len(rows)
        self.unknown += int(unknown.sum())
        self.missing += int(missing.sum())
        if unknown.any() and not self.example:
            example = str(ids[unknown].iloc[0])
            alike = difflib.get_close_matches(example, map(str, known.ids[:_COMPARED]), n=1, cutoff=0)
            near = explain_unknown(ids[unknown].iloc[:SHOWN], known.ids)
            near = near or (f"the items have {alike[0]}" if alike else "")
            self.example = f"such as {example}" + (f" ({near})" if near else "")
        return rows[~(unknown | missing)]

    def notices(self, items: str) -> list[str]:
        """Return what to tell of them."""
        reasons = {f"their items are not in {items}, {self.example}": self.unknown}
        reasons["they name no item"] = self.missing
        return [
            f"{'all ' if count == self.seen else ''}{count:,} events left out: {reason}"
            for reason, count in reasons.items()
            if count
        ]
