"""Compute tasks on the parts of a table: in this process, or on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from distributed import Client, as_completed

from m2trec_merlin.progress import SILENT, Progress


@dataclass(frozen=True)
class Workers:
    """The workers that make one result.

    Attributes:
        client: client of a cluster, which must see the same files; None for this process.
        device: device of the frames, `cpu` or `cuda`.
        progress: receives the number of finished tasks.
    """

    client: Client | None = None
    device: str = "cpu"
    progress: Progress = SILENT

    def run(self, tasks: Sequence[Any], label: str) -> list[Any]:
        """Compute Dask tasks and return their results in order.

        In this process, tasks are computed one at a time, so at most one part is in memory.
        """
        self.progress.advance(label, 0, len(tasks))
        if self.client is None:
            results = []
            for task in tasks:
                results.append(task.compute(scheduler="synchronous"))
                self.progress.advance(label, len(results), len(tasks))
            return results
        futures = self.client.compute(list(tasks))
        for done, _ in enumerate(as_completed(futures), start=1):
            self.progress.advance(label, done, len(tasks))
        return list(self.client.gather(futures))


#: This process, on the CPU, without progress.
ALONE = Workers()
