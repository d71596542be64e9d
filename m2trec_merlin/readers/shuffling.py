"""Events in a random order within their sessions, for tables whose own order says nothing.

A basket that is stored sorted by product teaches a model that a product with a higher number comes next. It
would learn, and be measured on, how the table was written.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from m2trec_merlin.readers.grouping import session_codes

#: Odd numbers that spread over 64 bits.
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def shuffle_sessions(events: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the events with those of each session in a random order.

    A column that orders events still does afterwards: only events that it does not tell apart stay as they
    stand here. An event's place depends on its row and the seed, not on the size of the chunk.

    Args:
        events: whole sessions side by side; the index is the row number in the source.
        seed: of the order.
    """
    keys = events.index.to_numpy(np.int64).view(np.uint64) + np.uint64(seed % (1 << 64))
    for factor in _FACTORS:
        keys = (keys ^ (keys >> np.uint64(30))) * factor
    return events.iloc[np.lexsort([keys ^ (keys >> np.uint64(31)), session_codes(events)])]
