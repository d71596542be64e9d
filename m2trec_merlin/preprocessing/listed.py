"""Which items were listed so late that training had hardly time to see them sell.

Most items that never sold are dead stock, and are recommended seldom. An item that was listed last night
never sold either, which says nothing of it: in a mixture it has a weight of its own (`neighbours.pasts`).
"""

from __future__ import annotations

import numpy as np

from m2trec_merlin.data.order_statistics import NumbersOnDisk
from m2trec_merlin.preprocessing.parts import Events
from m2trec_merlin.preprocessing.recent import event_times
from m2trec_merlin.progress import Progress
from m2trec_merlin.shares import percent

#: Share of the items that sold which may be listed only after the last event: more is no date of listing.
_ODD = 0.05


def newly_listed(events: Events, since: np.ndarray, counts: np.ndarray, progress: Progress) -> np.ndarray:
    """Tell which items count as newly listed, bool [items].

    They never sold, and since they were listed an average item sold less than once: fewer events came after
    than items sold in training.

    Args:
        events: of training, which have times.
        since: datetime64 [items], when each was listed; NaT where that is not known.
        counts: int64 [items], occurrences in training.
        progress: is told how many they are, or that the dates are none of listing.
    """
    sold, moments = counts > 0, since.astype("datetime64[us]")
    if not sold.any():
        return sold
    times = NumbersOnDisk()
    for of_part in event_times(events):
        times.add(of_part)
    last, late = (
        np.datetime64(times.nth(place), "us") for place in (len(times) - 1, len(times) - int(sold.sum()))
    )
    early = int((moments[sold] > last).sum())
    if early > _ODD * sold.sum():
        progress.say(
            f"data.listed: {percent(early, int(sold.sum()))} of the items that sold were listed after the "
            "last event, so these are no dates of listing; no item counts as newly listed"
        )
        return np.zeros(len(counts), bool)
    found: np.ndarray = ~sold & (moments > late)
    progress.say(
        f"{int(found.sum()):,} of {int((~sold).sum()):,} items that never sold were listed after "
        f"{np.datetime_as_string(late, 's')}, and count as newly listed"
    )
    return found
