"""Find items that were listed too late for training to see them sell.

Most items that never sold are dead stock, and are rarely recommended. An item that was listed last night
never sold either, but for another reason: in a mixture it has a separate weight (`neighbours.pasts`).
"""

from __future__ import annotations

import numpy as np

from m2trec_merlin.data.order_statistics import NumbersOnDisk
from m2trec_merlin.preprocessing.parts import Events
from m2trec_merlin.preprocessing.recent import event_times
from m2trec_merlin.progress import Progress
from m2trec_merlin.shares import percent

#: If more than this share of the sold items is listed after the last event, the dates are not those of
#: listing.
_ODD = 0.05


def newly_listed(events: Events, since: np.ndarray, counts: np.ndarray, progress: Progress) -> np.ndarray:
    """Tell which items count as newly listed, bool [items].

    These are items that never sold and were listed so late that an average item has sold less than once since
    then: there were fewer events since than there are items that sold in training.

    Args:
        events: the training events, which must have times.
        since: time of listing of each item, datetime64 [items]; NaT if unknown.
        counts: occurrences of each item in training, int64 [items].
        progress: receives the number of such items, or that the dates are not those of listing.
    """
    sold, moments = counts > 0, since.astype("datetime64[us]")
    if not sold.any():
        return sold
    with NumbersOnDisk() as times:
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
    if not sold.all():
        progress.say(
            f"{int(found.sum()):,} of {int((~sold).sum()):,} items that never sold were listed after "
            f"{np.datetime_as_string(late, 's')}, and count as newly listed"
        )
    return found
