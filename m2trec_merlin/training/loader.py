"""Batches of sessions, in an order determined by a seed and the epoch.

Sessions are read in chunks of whole files, as flat arrays: no Python object per session, and at most one
chunk and the next in memory. If everything fits into one chunk, it stays on the device that trains.

Why not the Merlin loader (which `transformers4rec_trainer.py` uses): it turns the lists of a chunk into
Python objects, and resuming within an epoch means reading everything before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from m2trec_merlin.artifacts import reading
from m2trec_merlin.encoded import Field
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.frames import Frames
from m2trec_merlin.model.catalogue_tensors import EncodedAttributes, on_device, ragged_entries
from m2trec_merlin.model.event_encoder import take_events
from m2trec_merlin.model.session_batch import SessionBatch, count_pairs
from m2trec_merlin.sessions import (
    Sessions,
    count_events,
    count_sessions,
    event_fields,
    session_files,
    tells_targets,
)
from m2trec_merlin.training.hardware import frames_for
from m2trec_merlin.training.processes import ALONE, Processes
from m2trec_merlin.training.recency import Weights, draw

#: Number of sessions held in main memory, about 100 bytes each; more are read and shuffled chunk by chunk.
SESSIONS_AT_A_TIME = 1_000_000
#: Number of sessions held in the memory of a GPU.
SESSIONS_AT_A_TIME_ON_GPU = 20_000_000


class SessionLoader:
    """Reads a folder of sessions as shuffled batches.

    With several processes, all read the same sessions and each trains on its share of every batch, so that
    together they see what one process with a batch of the joint size would see.

    Args:
        directory: folder of Parquet files as `Sessions` reads them.
        batch_size: number of sessions per batch, in each process.
        seed: seed of the shuffle.
        device: device of the batches.
        processes: the processes that train together.
        sessions_at_a_time: maximum number of sessions in a chunk, which holds at least one file.
        weights: how often the sessions of each file are drawn in an epoch of as many; None: each once.

    Attributes:
        says_more: whether events have more than rows: attributes, or marks which may be targets.
        events_a_batch: mean number of events per batch, in each process.

    Raises:
        ArtifactError: the folder holds too few sessions.
    """

    def __init__(
        self,
        directory: Path,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
        processes: Processes = ALONE,
        sessions_at_a_time: int | None = None,
        weights: Weights | None = None,
    ) -> None:
        files = session_files(directory)
        marked = tells_targets(files)
        counts = np.array([_count_sessions(file, marked) for file in files], dtype=np.int64)
        self.n_sessions = int(counts.sum())
        if self.n_sessions < processes.count:
            least = f"fewer than {processes.count}" if self.n_sessions else "no"
            raise ArtifactError(f"{directory} holds {least} training sessions: check the split of the data")
        self.device = torch.device(device)
        on_gpu = self.device.type == "cuda"
        bound = sessions_at_a_time or (SESSIONS_AT_A_TIME_ON_GPU if on_gpu else SESSIONS_AT_A_TIME)
        n_chunks = min(len(files), -(-self.n_sessions // bound))
        # Files are in order of time; each chunk takes files from the whole period.
        self.says_more = bool(event_fields(files)) or marked
        self._chunks = [
            _Files(files[k::n_chunks], int(counts[k::n_chunks].sum()), self.says_more, weights)
            for k in range(n_chunks)
        ]
        self.batch_size = batch_size
        # A process never has more sessions than its share.
        together = min(batch_size, self.n_sessions // processes.count)
        self.events_a_batch = together * count_events(files) // count_sessions(files)
        self.seed = seed
        self.processes = processes
        self._kept: _Chunk | None = None

    def __len__(self) -> int:
        """Number of batches per epoch."""
        return sum(self._batches_of(chunk) for chunk in self._chunks)

    def _batches_of(self, chunk: _Files) -> int:
        # A last batch with fewer sessions than processes is left out: each process needs one.
        full, rest = divmod(chunk.n_sessions, self.batch_size * self.processes.count)
        return full + (rest >= self.processes.count)

    def batches(self, epoch: int, skip: int = 0) -> Iterator[SessionBatch]:
        """Yield the batches of an epoch, on the device; the same seed and epoch give the same batches.

        Args:
            epoch: number of the epoch, from 0.
            skip: number of batches to leave out at the start, to resume a killed training.
        """
        wanted = []
        for number in np.random.default_rng([self.seed, epoch]).permutation(len(self._chunks)):
            count = self._batches_of(self._chunks[number])
            if skip < count:
                wanted.append((number, range(skip, count)))
            skip = max(0, skip - count)
        chunks = self._read(self._chunks[number] for number, _ in wanted)
        for chunk, (number, batches) in zip(chunks, wanted, strict=True):
            sessions = chunk.shuffled(np.random.default_rng([self.seed, epoch, number]))
            # One copy to the device instead of one per batch.
            on_device = torch.from_numpy(sessions).to(self.device)
            joint = self.batch_size * self.processes.count
            for batch in batches:
                ours = slice(batch * joint + self.processes.rank, (batch + 1) * joint, self.processes.count)
                yield chunk.batch(sessions[ours], on_device[ours])

    def _read(self, chunks: Iterator[_Files]) -> Iterator[_Chunk]:
        """Yield the chunks; while one is trained on, a thread reads the next."""
        if len(self._chunks) == 1:
            for files in chunks:
                self._kept = self._kept or files.read(self.device)
                yield self._kept
            return
        with ThreadPoolExecutor(1) as reader:
            ahead = None
            for files in chunks:
                following = reader.submit(files.read, self.device)
                if ahead is not None:
                    yield ahead.result()
                ahead = following
            if ahead is not None:
                yield ahead.result()


@dataclass(frozen=True)
class _Files:
    """Files of a chunk, their number of sessions, whether events have more than rows, and `weights`."""

    paths: Sequence[Path]
    n_sessions: int
    says_more: bool
    weights: Weights | None = None

    def read(self, device: torch.device) -> _Chunk:
        """Read the files into the memory of the device."""
        if not self.says_more:
            return self.read_by(frames_for(device), device)
        sessions, weights = Sessions.read(self.paths), self._weights()
        if sessions.is_target is not None:
            kept = _with_targets(sessions)
            sessions, weights = sessions.take(kept), None if weights is None else weights[kept]
        values = torch.from_numpy(sessions.rows.astype(np.int32)).to(device)
        offsets, told = torch.from_numpy(sessions.offsets).to(device), sessions.is_target
        return _Chunk(
            values,
            offsets,
            sessions.lengths,
            on_device(sessions.attributes, device),
            [column.field for column in sessions.attributes.values()],
            None if told is None else torch.from_numpy(told).to(device),
            weights,
        )

    def _weights(self) -> np.ndarray | None:
        found = self.weights
        return None if found is None else np.concatenate([found[path.name] for path in self.paths])

    def read_by(self, frames: Frames, device: torch.device) -> _Chunk:
        """Read rows only; if `frames` read on the device, the host gets a copy of the lengths only."""
        parts = []
        for path in self.paths:
            with reading(path, "preprocess"):
                read = map(torch.as_tensor, frames.read_lists(path, "row"))
            parts.append([each.to(device) for each in read])
        rows, lengths = map(torch.cat, zip(*parts, strict=True))
        offsets = torch.nn.functional.pad(lengths.cumsum(0), (1, 0))
        return _Chunk(rows.int(), offsets, lengths.cpu().numpy(), weights=self._weights())


@dataclass(frozen=True)
class _Chunk:
    """Sessions on the device: int32 [E] rows, int64 [S + 1] offsets; on the host, lengths and weights [S].

    The other attributes are those of `SessionBatch`.
    """

    rows: Tensor
    offsets: Tensor
    lengths: np.ndarray
    attributes: EncodedAttributes = field(default_factory=dict)
    fields: Sequence[Field] = ()
    is_target: Tensor | None = None
    weights: np.ndarray | None = None

    def shuffled(self, generator: np.random.Generator) -> np.ndarray:
        """Return the sessions of an epoch in random order, int64 [S]."""
        if self.weights is None:
            return generator.permutation(len(self.lengths))
        return draw(self.weights, generator)

    def batch(self, drawn: np.ndarray, on_device: Tensor) -> SessionBatch:
        """Return the drawn sessions; the host knows their lengths, so that nothing waits for the device."""
        lengths = self.lengths[drawn]
        events, offsets = ragged_entries(self.offsets, on_device, int(lengths.sum()))
        return SessionBatch(
            self.rows[events].long(),
            offsets.diff(),
            int(lengths.max()),
            count_pairs(lengths),
            take_events(self.attributes, self.fields, events),
            self.fields,
            None if self.is_target is None else self.is_target[events],
        )


def _with_targets(sessions: Sessions) -> np.ndarray:
    """Return the sessions with any target, int64: from others there is nothing to learn."""
    return np.unique(sessions.prefixes().session)


def _count_sessions(file: Path, marked: bool) -> int:
    return len(_with_targets(Sessions.read([file]))) if marked else count_sessions([file])
