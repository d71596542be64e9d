"""Steps of training as CUDA graphs: some hundred kernels of a step are launched at once.

The kernels of a small model take less time than the host takes to launch them one by one. A graph is captured
once for each shape of a batch, so batches are filled up to a few shapes, with sessions of unknown items,
which are no targets.

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

#: A step of training: updates the weights, and returns the loss before.
TrainStep = Callable[[SessionBatch], Tensor]
#: From a step that reads the same tensors each time to what does it again, and returns the loss.
Capture = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]


def cannot_capture(
    model: M2TRec, device: torch.device, processes: Processes, says_more: bool = False
) -> str | None:
    """Return why steps of this training cannot be captured, None if they can.

    Args:
        model: to be trained.
        device: where.
        processes: that train together.
        says_more: whether more is known of events than their rows, see `SessionLoader`.
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
    """Does steps: the first one of a shape as it is, all others of it from one that was captured.

    Args:
        step: does one.
        longest: no session is longer.
        capture: a CUDA graph, or what stands in for one.
    """

    def __init__(self, step: TrainStep, longest: int, capture: Capture | None = None) -> None:
        self._step, self._longest = step, longest
        self._capture = capture or cuda_graphs()
        self._seen: set[tuple[int, int, int, int]] = set()
        self._captured: dict[tuple[int, int, int, int], _Captured] = {}

    def __call__(self, batch: SessionBatch) -> Tensor:
        """Do a step; returns its loss."""
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
    """A step on tensors of its own, into which batches are copied."""

    def __init__(self, step: TrainStep, batch: SessionBatch, capture: Capture) -> None:
        self._rows, self._lengths = batch.rows.clone(), batch.lengths.clone()
        longest, n_pairs = batch.longest, batch.n_pairs
        self._again = capture(lambda: step(SessionBatch(self._rows, self._lengths, longest, n_pairs)))

    def __call__(self, batch: SessionBatch) -> Tensor:
        self._rows.copy_(batch.rows)
        self._lengths.copy_(batch.lengths)
        return self._again()


def cuda_graphs() -> Capture:
    """Return what captures steps as CUDA graphs, which share their memory: one runs at a time."""
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

    E becomes a multiple of B, L a power of two or `longest`, and M, of which the last ones may be no pairs, a
    number of three binary digits.

    Args:
        batch: of a loader, which knows M.
        longest: of all sessions, two at least.
    """
    assert batch.n_pairs is not None
    n_sessions, n_events = len(batch.lengths), len(batch.rows)
    length = min(1 << max(1, (batch.longest - 1).bit_length()), longest)
    # So many sessions can hold from as many events as they are to n_sessions - 1 more.
    n_added = -(-(n_sessions - 1) // (length - 1)) or 1
    missing = -(n_events + n_added) % n_sessions + n_added
    least, n_longer = divmod(missing, n_added)
    # Made there: whatever is brought there waits for what was launched before.
    added = least + (torch.arange(n_added, device=batch.lengths.device) < n_longer).long()
    rows = torch.nn.functional.pad(batch.rows, (0, missing), value=NO_ITEM)
    lengths = torch.cat([batch.lengths, added])
    n_pairs = batch.n_pairs + count_pairs(np.repeat([least + 1, least], [n_longer, n_added - n_longer]))
    digits = 1 << max(0, n_pairs.bit_length() - 3)
    return SessionBatch(rows, lengths, length, -(-n_pairs // digits) * digits)


def _beside(step: TrainStep, batch: SessionBatch) -> Tensor:
    """Do a step on a stream of its own, if CUDA is there: what it leaves behind can be captured then."""
    if batch.rows.device.type != "cuda" or not torch.cuda.is_available():
        return step(batch)
    ours, stream = torch.cuda.current_stream(), torch.cuda.Stream()
    stream.wait_stream(ours)
    with torch.cuda.stream(stream):
        loss = step(batch)
    ours.wait_stream(stream)
    return loss
