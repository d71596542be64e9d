"""Sessions of about equal length, to be encoded together: padding costs as much as events do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Padded positions that cost as much as another pass through the graph and what is prepared for it.
_WORTH_A_PASS = 20


def group_by_length(lengths: Sequence[int]) -> list[np.ndarray]:
    """Return the sessions of a batch in groups, each int64 places in `lengths`; every session is in one.

    Args:
        lengths: events of each session.
    """
    order = np.argsort(lengths, kind="stable")
    groups: list[list[int]] = []
    padding = 0
    for place in order.tolist():
        if groups:
            # A session longer than the group's so far makes all of its sessions as long.
            more = len(groups[-1]) * (lengths[place] - lengths[groups[-1][-1]])
            if padding + more <= _WORTH_A_PASS:
                padding += more
                groups[-1].append(place)
                continue
        groups.append([place])
        padding = 0
    return [np.array(group, np.int64) for group in groups]
