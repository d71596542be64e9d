"""Leave out events of unknown items, where this is allowed, and report how many and a possible reason."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.readers.canonical import KnownItems, normalise_ids
from m2trec_merlin.readers.near_ids import explain_unknown
from m2trec_merlin.readers.problems import SHOWN
from m2trec_merlin.shares import counted

#: The most ids of items that an unknown id is compared with.
_COMPARED = 10_000


@dataclass
class LeftOut:
    """Counts of the events left out because of `drop_unknown_items`.

    Attributes:
        seen: number of all events, including those that stay.
        unknown: number of events of unknown items.
        missing: number of events without an item id.
        example: phrase that names an unknown id, and a similar known one.
    """

    seen: int = 0
    unknown: int = 0
    missing: int = 0
    example: str = ""

    def drop(self, rows: pd.DataFrame, known: KnownItems) -> pd.DataFrame:
        """Count the events without a known item, and return the others."""
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
        """Return messages about the events left out."""
        reasons = {f"their items are not in {items}, {self.example}": self.unknown}
        reasons["they name no item"] = self.missing
        return describe_left_out(reasons, self.seen)


def describe_left_out(reasons: Mapping[str, int], seen: int) -> list[str]:
    """Return a message for each reason for which events were left out.

    Args:
        reasons: how many were left out, by the reason.
        seen: number of all events.
    """
    return [
        f"{'all ' if count == seen else ''}{counted(count, 'event')} left out: {reason}"
        for reason, count in reasons.items()
        if count
    ]
