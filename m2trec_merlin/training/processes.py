"""Several processes that train one model together, as `torchrun` starts them.

Each process computes the gradients of its share of a batch. They are averaged, weighted by the number of
targets, so that the step is the one that a single process would take with the whole batch. All processes
apply the same gradients, so their weights stay equal.

Why not `DistributedDataParallel`: it weights processes equally, not targets, and NCCL cannot add up the
sparse gradients of tables with a row per item.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

#: Timeout of waiting: the other processes wait while the first one validates, ranking all items.
_LONGEST_WAIT = timedelta(hours=6)


@dataclass(frozen=True)
class Processes:
    """The processes of a training, as seen by one of them.

    Attributes:
        rank: number of this process.
        count: number of all processes.
        local_rank: number of this process on its machine, and of the GPU it uses.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and reports progress."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes have called this."""
        if self.count > 1:
            dist.barrier()

    def first_says(self, values: Sequence[float], device: torch.device) -> list[float]:
        """Return, in every process, the numbers that the first process passes."""
        if self.count == 1:
            return list(values)
        numbers = torch.tensor(values, dtype=torch.float64, device=device)
        dist.broadcast(numbers, 0)
        return numbers.tolist()

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """Return the tensors of all processes, by rank; they must have the same shape."""
        if self.count == 1:
            return [tensor]
        parts = [torch.empty_like(tensor) for _ in range(self.count)]
        dist.all_gather(parts, tensor.contiguous())
        return parts

    def average_gradients(self, parameters: Sequence[nn.Parameter], loss: Tensor, targets: Tensor) -> Tensor:
        """Replace gradients by their mean over all targets of all processes.

        Args:
            parameters: parameters of the model, in the same order in all processes; a missing gradient
                counts as zero.
            loss: mean loss over the targets of this process.
            targets: number of targets of this process, a scalar.

        Returns:
            The mean loss over all targets.
        """
        if self.count == 1:
            return loss.detach()
        dense = [p for p in parameters if p.grad is None or not p.grad.is_sparse]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in dense]
        # One message for everything: gradients, loss and number of targets.
        numbers = torch.stack([loss.detach().float() * targets, targets.float()])
        message = torch.cat([*(g.flatten() * targets for g in gradients), numbers])
        dist.all_reduce(message)
        total = message[-1]
        parts = (message[:-2] / total).split([p.numel() for p in dense])
        for parameter, part in zip(dense, parts, strict=True):
            parameter.grad = part.view_as(parameter)
        for parameter in parameters:
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = self._add_rows(parameter.grad, targets / total)
        return message[-2] / total

    def _add_rows(self, gradient: Tensor, weight: Tensor) -> Tensor:
        """Add up sparse gradients of all processes; those with fewer rows are padded for the exchange."""
        gradient = gradient.coalesce()
        rows, values = gradient.indices()[0], gradient.values() * weight
        counts = [int(n) for n in self.gather(rows.new_tensor([len(rows)]))]
        longest = max(counts)
        missing = longest - len(rows)
        all_rows = self.gather(torch.cat([rows, rows.new_zeros(missing)]))
        all_values = self.gather(torch.cat([values, values.new_zeros(missing, *values.shape[1:])]))
        taken = [(r[:n], v[:n]) for r, v, n in zip(all_rows, all_values, counts, strict=True)]
        return torch.sparse_coo_tensor(
            torch.cat([r for r, _ in taken]).unsqueeze(0), torch.cat([v for _, v in taken]), gradient.shape
        ).coalesce()


#: The one process of an ordinary training.
ALONE = Processes()


def are_several() -> bool:
    """Tell whether `torchrun` started this process along with others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def join_processes(device: str) -> Iterator[Processes]:
    """Join the processes that `torchrun` started, within this context; yields ALONE without `torchrun`.

    Args:
        device: configured device, `auto`, `cpu` or `cuda`, which decides between gloo and NCCL.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 and "TORCHELASTIC_RUN_ID" not in os.environ:
        yield ALONE
        return
    on_gpu = device != "cpu" and torch.cuda.is_available()
    processes = Processes(int(os.environ["RANK"]), count, int(os.environ["LOCAL_RANK"]))
    if on_gpu:
        torch.cuda.set_device(processes.local_rank)
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=_LONGEST_WAIT)
    try:
        yield processes
    finally:
        dist.destroy_process_group()
