"""Where scripts of before the rooms were moved look for `serving.runtime.reading.sessions`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from m2trec_merlin.encoded import to_tensors
from m2trec_merlin.serving.runtime.reading import sessions as moved
from m2trec_merlin.serving.runtime.reading.sessions import ReadSession


class SessionReader(moved.SessionReader):
    """As it was then: new items are arrays by the names of their tensors."""

    def read(
        self,
        sessions: Sequence[tuple[Sequence[str], Sequence[str] | None]],
        candidates: Any = None,
        events: Any = None,
    ) -> list[Any]:
        """See `serving.runtime.reading.sessions.SessionReader.read`."""
        read = super().read(sessions, candidates, events)
        # The type of `new_items` is what changed since.
        return [
            replace(each, new_items=to_tensors(each.new_items))  # type: ignore[arg-type]
            if isinstance(each, ReadSession)
            else each
            for each in read
        ]
