"""The former place of `serving.runtime.reading.sessions`, kept for scripts of earlier versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from m2trec_merlin.contract.about import EXPORTED_CATALOGUE
from m2trec_merlin.contract.version import Description
from m2trec_merlin.encoded import to_tensors
from m2trec_merlin.serving.runtime.catalogue.exported_ids import ExportedIds
from m2trec_merlin.serving.runtime.reading import sessions as moved
from m2trec_merlin.serving.runtime.reading.events import EventReader
from m2trec_merlin.serving.runtime.reading.new_items import NewItemEncoder
from m2trec_merlin.serving.runtime.reading.parsing import RawSession
from m2trec_merlin.serving.runtime.reading.sessions import ReadSession


class SessionReader(moved.SessionReader):
    """The reader with its former interface: `load`, and new items as arrays by the names of their tensors."""

    @classmethod
    def load(cls, directory: Path) -> SessionReader:
        """Load a version folder of `m2trec_preprocess`, with the catalogue as it was exported.

        Raises:
            ArtifactError: files of the export were altered.
        """
        version, rows = Description.open(directory), ExportedIds(directory).rows
        events = EventReader(directory, version) if version.events else None
        return cls(lambda: (EXPORTED_CATALOGUE, rows), version, NewItemEncoder.of(directory, version), events)

    def read(  # type: ignore[override]
        self,
        sessions: Sequence[tuple[Sequence[str], Sequence[str] | None]],
        candidates: Any = None,
        events: Any = None,
    ) -> list[Any]:
        """See `serving.runtime.reading.sessions.SessionReader.read`."""
        count = len(sessions)
        read = super().read(
            [
                RawSession(ids, attributes, candidate or (), said)
                for (ids, attributes), candidate, said in zip(
                    sessions, candidates or [()] * count, events or [None] * count, strict=True
                )
            ]
        )
        # Scripts of earlier versions expect another type of `new_items`.
        return [
            replace(each, new_items=to_tensors(each.new_items))  # type: ignore[arg-type]
            if isinstance(each, ReadSession)
            else each
            for each in read
        ]
