"""How many events of a training session are kept, where the configuration leaves it to the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m2trec_merlin.config import Config
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.manifests import require_manifest

#: Share of the training events that are kept, and the longest session whatever is lost: what attention holds
#: of a batch grows with the square of its longest session.
KEPT_EVENTS, LONGEST = 0.99, 200

#: What the manifest of `data` calls it.
MANIFEST_NAME = "length_for_most_events"


def length_for_most_events(sessions_of_length: np.ndarray, least: int) -> int:
    """Return the fewest last events of each session that together are 99 % of all, at most 200.

    Args:
        sessions_of_length: int64 [longest + 1], entry n counts the sessions of n events.
        least: the shortest session that counts.
    """
    # Event k from the end is kept of the sessions that have one: kept[n] counts those with n events each.
    with_event = np.cumsum(sessions_of_length[::-1])[::-1]
    kept = np.cumsum(with_event) - with_event[0]
    enough = int(np.searchsorted(kept, KEPT_EVENTS * kept[-1]))
    return min(max(enough, least), max(LONGEST, least))


def longest_session(config: Config, data: Path) -> int:
    """Return how many events of a training session are kept: as configured, or as the data suggest.

    Args:
        config: of the run.
        data: folder that `m2trec data` wrote.

    Raises:
        ArtifactError: the folder is of an earlier version.
    """
    if config.data.max_session_length is not None:
        return config.data.max_session_length
    chosen: int | None = require_manifest(data, "data").get(MANIFEST_NAME)
    if chosen is None:
        raise ArtifactError(f"{data} is of an earlier version: run `m2trec data --force`")
    return chosen
