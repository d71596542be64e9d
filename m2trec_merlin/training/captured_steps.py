"""Training steps as CUDA graphs, which launch the hundreds of kernels of a step at once.

The kernels of a small model take less time than the host needs to launch them one by one. A graph is captured
once per shape of a batch, so batches are filled up to a few shapes with sessions of unknown items, which are
never targets.

Shape legend: B sessions, L longest session, E events in all, M pairs of a prefix and an event.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors
from m2trec_merlin.model.m2trec import M2TRec
from m2trec_merlin.model.session_batch import SessionBatch, count_pairs
from m2trec_merlin.training.processes import Processes

#: A training step: updates the weights, and returns the loss before the update.
TrainStep = Callable[[SessionBatch], Tensor]
#: Captures a step that reads the same tensors each time; returns a function that repeats the step.
Capture = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]


def cannot_capture(
    model: M2TRec, device: torch.device, processes: Processes, says_more: bool = False
) -> str | None:
    """Return why steps of a training cannot be captured, or None if they can.

    Args:
        model: the model to train.
        device: the device that trains.
        processes: the processes that train together.
        says_more: whether events have more than rows, see `SessionLoader`.
    """
    if device.type != "cuda":
        return "training is not on a GPU"
    if processes.count > 1:
        return "several processes train together"
    if not model.session_encoder.causal:
        return "model.session.mode is not causal"
    if says_more:
        return "events have attributes, or not all may be targets"
    for module in model.modules():
        if isinstance(module, CatalogueTensors) and module.ragged:
            return f"some values of '{module.ragged[0]}' are lists far longer than the others"
    return None


class CapturedSteps:
    """Runs steps: the first one of each shape directly; the second is captured, and later ones replay it.

    Args:
        step: the training step.
        longest: maximum length of sessions.
        capture: a function that captures a step; default: `cuda_graphs`.
    """

    def __init__(self, step: TrainStep, longest: int, capture: Capture | None = None) -> None:
        self._step, self._longest = step, longest
        self._capture = capture or cuda_graphs()
        self._seen: set[tuple[int, int, int, int]] = set()
        self._captured: dict[tuple[int, int, int, int], _Captured] = {}

    def __call__(self, batch: SessionBatch) -> Tensor:
        """Run a step, and return its loss."""
        batch = filled_up(batch, self._longest)
        assert batch.n_pairs is not None
        shape = (len(batch.rows), len(batch.lengths), batch.longest, batch.n_pairs)
        if shape not in self._captured:
            if shape not in self._seen:
                self._seen.add(shape)
                return _beside(self._step, batch)
            self._captured[shape] = _Captured(self._step, batch, self._capture)
        return self._captured[shape](batch)


class _Captured:
    """A captured step with tensors of its own, into which batches are copied."""

    def __init__(self, step: TrainStep, batch: SessionBatch, capture: Capture) -> None:
        self._rows, self._lengths = batch.rows.clone(), batch.lengths.clone()
        longest, n_pairs = batch.longest, batch.n_pairs
        self._again = capture(lambda: step(SessionBatch(self._rows, self._lengths, longest, n_pairs)))

    def __call__(self, batch: SessionBatch) -> Tensor:
        self._rows.copy_(batch.rows)
        self._lengths.copy_(batch.lengths)
        return self._again()


def cuda_graphs() -> Capture:
    """Return a function that captures steps as CUDA graphs; they share memory, so one runs at a time."""
    pool = torch.cuda.graph_pool_handle()

    def capture(step: Callable[[], Tensor]) -> Callable[[], Tensor]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            loss = step()

        def again() -> Tensor:
            graph.replay()
            return loss.clone()

        return again

    return capture


def filled_up(batch: SessionBatch, longest: int) -> SessionBatch:
    """Add sessions of unknown items until the batch has one of a few shapes.

    E becomes a multiple of the number of sessions given, L a power of two or `longest`, and M, whose last
    entries may be no pairs, a number with three significant binary digits.

    Args:
        batch: a batch of a loader, which knows M.
        longest: maximum length of all sessions, at least 2.
    """
    assert batch.n_pairs is not None
    n_sessions, n_events = len(batch.lengths), len(batch.rows)
    length = min(1 << max(1, (batch.longest - 1).bit_length()), longest)
    # n_added sessions can hold any number of events from n_added to n_added + n_sessions - 1.
    n_added = -(-(n_sessions - 1) // (length - 1)) or 1
    missing = -(n_events + n_added) % n_sessions + n_added
    least, n_longer = divmod(missing, n_added)
    # Created on the device: a copy from the host would wait for the kernels launched before.
    added = least + (torch.arange(n_added, device=batch.lengths.device) < n_longer).long()
    rows = torch.nn.functional.pad(batch.rows, (0, missing), value=NO_ITEM)
    lengths = torch.cat([batch.lengths, added])
    n_pairs = batch.n_pairs + count_pairs(np.repeat([least + 1, least], [n_longer, n_added - n_longer]))
    digits = 1 << max(0, n_pairs.bit_length() - 3)
    return SessionBatch(rows, lengths, length, -(-n_pairs // digits) * digits)


def _beside(step: TrainStep, batch: SessionBatch) -> Tensor:
    """Run a step on a CUDA stream of its own, if possible, as PyTorch requires before a capture."""
    if batch.rows.device.type != "cuda" or not torch.cuda.is_available():
        return step(batch)
    ours, stream = torch.cuda.current_stream(), torch.cuda.Stream()
    stream.wait_stream(ours)
    with torch.cuda.stream(stream):
        loss = step(batch)
    ours.wait_stream(stream)
    return loss
