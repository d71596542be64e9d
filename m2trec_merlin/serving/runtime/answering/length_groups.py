"""Grouping of sessions by length before they are encoded, as padding costs as much time as events do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Number of padded positions that cost as much as one more pass through the graph.
_WORTH_A_PASS = 20


def group_by_length(lengths: Sequence[int]) -> list[np.ndarray]:
    """Return groups of sessions of similar length, each as int64 positions in `lengths`.

    Args:
        lengths: number of events of each session.
    """
    order = np.argsort(lengths, kind="stable")
    groups: list[list[int]] = []
    padding = 0
    for place in order.tolist():
        if groups:
            # All sessions of the group would be padded to the length of this one.
            more = len(groups[-1]) * (lengths[place] - lengths[groups[-1][-1]])
            if padding + more <= _WORTH_A_PASS:
                padding += more
                groups[-1].append(place)
                continue
        groups.append([place])
        padding = 0
    return [np.array(group, np.int64) for group in groups]
