"""Whether sessions come back to their own items."""

from __future__ import annotations

import numpy as np

from m2trec_merlin.sessions import Sessions

#: Share of repeats among training targets from which on a session's own items are worth recommending.
REPEATS_WORTH_RECOMMENDING = 0.01


def sessions_repeat_items(train: Sessions) -> bool:
    """Tell whether the next item of a training session is often one that the session already holds.

    Click streams do repeat, baskets hardly ever. Where sessions do not, recommending their own items
    only wastes places at the top, and a baseline that did so would be weak without need.
    """
    session = np.repeat(np.arange(len(train)), train.lengths)
    _, first = np.unique(session * (train.rows.max(initial=0) + 1) + train.rows, return_index=True)
    may_repeat = np.ones(len(train.rows), bool) if train.is_target is None else train.is_target.copy()
    may_repeat[first] = False
    repeats = int(may_repeat.sum())
    return repeats >= REPEATS_WORTH_RECOMMENDING * max(train.n_prefixes, 1)
