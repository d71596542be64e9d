"""Batches of sessions from the Merlin loader, in an order that a seed and an epoch decide."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from torch import Tensor

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.model.body import input_schema

#: Sessions shuffled together; more than that are shuffled file by file.
SESSIONS_AT_A_TIME = 1_000_000


class SessionLoader:
    """Reads a folder of sessions through the Merlin loader.

    Args:
        directory: Parquet files with a column `row`, lists of catalogue rows.
        n_rows: rows of the catalogue.
        max_length: longest session.
        batch_size: sessions a batch.
        seed: of the shuffle.

    Raises:
        ArtifactError: the folder holds no sessions.
    """

    def __init__(self, directory: Path, n_rows: int, max_length: int, batch_size: int, seed: int) -> None:
        self.files = sorted(directory.glob("*.parquet"))
        self.n_sessions = sum(pq.read_metadata(file).num_rows for file in self.files)
        if not self.n_sessions:
            raise ArtifactError(f"{directory} holds no training sessions: check the split of the data")
        self.schema = input_schema(n_rows, max_length)
        self.batch_size = batch_size
        self.seed = seed

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-self.n_sessions // self.batch_size)

    def batches(self, epoch: int, skip: int = 0) -> Iterator[dict[str, Tensor]]:
        """Yield the batches of an epoch; the same seed and epoch give the same batches.

        Args:
            epoch: from 0.
            skip: leave out so many batches at the start, to go on where a killed run stood.
        """
        loader = self._open(epoch)
        try:
            yield from (inputs for inputs, _ in islice(loader, skip, None))
        finally:
            loader.stop()

    def _open(self, epoch: int) -> Any:
        import merlin.io
        from merlin.dataloader.torch import Loader

        dataset = merlin.io.Dataset(
            [str(file) for file in self.files], engine="parquet", schema=self.schema, cpu=True
        )
        return Loader(
            dataset,
            batch_size=self.batch_size,
            shuffle=True,
            seed_fn=lambda: self.seed * 100_003 + epoch,
            parts_per_chunk=max(1, int(SESSIONS_AT_A_TIME * len(self.files) / self.n_sessions)),
        )
