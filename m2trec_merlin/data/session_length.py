"""Choose from the data how many events of a training session are kept, if it is not configured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m2trec_merlin.config import Config
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.manifests import require_manifest

#: Share of the training events to keep, and the greatest length of a session even if that loses more:
#: attention takes memory that grows with the square of a batch's longest session.
KEPT_EVENTS, LONGEST = 0.99, 200

#: The name of this length in the manifest of `data`.
MANIFEST_NAME = "length_for_most_events"

#: The name in the manifest of `preprocess` for the number of events cut.
CUT_EVENTS = "cut_events"


def length_for_most_events(sessions_of_length: np.ndarray, least: int) -> int:
    """Return the least length such that sessions cut to their last events keep 99 % of all; at most 200.

    Args:
        sessions_of_length: number of sessions of n events at entry n, int64 [longest + 1].
        least: the least length of a session, and of the result.
    """
    # with_event[k] counts the sessions with at least k events; kept[n] the events if n are kept of each.
    with_event = np.cumsum(sessions_of_length[::-1])[::-1]
    kept = np.cumsum(with_event) - with_event[0]
    enough = int(np.searchsorted(kept, KEPT_EVENTS * kept[-1]))
    return min(max(enough, least), max(LONGEST, least))


def longest_session(config: Config, data: Path) -> int:
    """Return how many events of a training session are kept: as configured, or as the data suggest.

    Args:
        config: the run's configuration.
        data: folder that `m2trec data` wrote.

    Raises:
        ArtifactError: an earlier version wrote the folder.
    """
    if config.data.max_session_length is not None:
        return config.data.max_session_length
    chosen: int | None = require_manifest(data, "data").get(MANIFEST_NAME)
    if chosen is None:
        raise ArtifactError(f"{data} is of an earlier version: run `m2trec data --force`")
    return chosen
