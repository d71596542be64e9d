"""The test whether sessions return to their own items."""

from __future__ import annotations

from m2trec_merlin.sessions import Sessions

#: Share of repeats among targets from which on a session's own items are worth recommending.
REPEATS_WORTH_RECOMMENDING = 0.01


def sessions_repeat_items(sessions: Sessions) -> bool:
    """Tell whether the next item of a known session is often one that the session already holds.

    Click streams repeat items, baskets hardly ever do. Where sessions do not, recommending their own items
    would waste places at the top, and make baselines needlessly weak.
    """
    return sessions.n_repeats >= REPEATS_WORTH_RECOMMENDING * max(sessions.n_prefixes, 1)
