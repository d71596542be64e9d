"""The optimisers: AdamW for weights, row-wise Adagrad for tables with a row per item.

A step uses a few thousand rows of an item table that may have half a million. AdamW would read and write the
whole table, its gradient and both moments; row-wise Adagrad updates only rows that have a gradient, and keeps
one number per row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from m2trec_merlin.config import TrainingConfig
from m2trec_merlin.model.m2trec import M2TRec
from m2trec_merlin.model.sparse_table import SparseTable
from m2trec_merlin.training.hardware import can_fuse_optimizer

#: Learning rate of the head's calibration parameters, as a multiple of that of the weights.
CALIBRATION_RATE_FACTOR = 30.0


class RowwiseAdagrad(torch.optim.Optimizer):
    """Adagrad with one accumulator per row, for sparse gradients.

    For every row r with gradient g:  s_r += mean(g^2);  w_r -= rate * g / (sqrt(s_r) + 1e-8).
    The mean over a row follows Gupta et al. 2014 ("Training highly multiclass classifiers"), as TorchRec does
    for embedding tables.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update the rows that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                gradient = added_up(parameter.grad)
                rows, values = gradient.indices()[0], gradient.values()
                state = self.state[parameter]
                if not state:
                    state["squares"] = parameter.new_zeros(len(parameter))
                squares = state["squares"].index_select(0, rows) + values.square().mean(1)
                state["squares"].index_copy_(0, rows, squares)
                step = values * (group["lr"] / (squares.sqrt() + 1e-8)).unsqueeze(1)
                parameter.index_add_(0, rows, step, alpha=-1)


def added_up(gradient: Tensor) -> Tensor:
    """Add up the entries of each row of a sparse gradient.

    On a GPU this does not wait for the number of distinct rows: unused entries are zeros for row 0, which has
    no gradient (`SparseTable`).
    """
    if gradient.is_coalesced() or gradient.device.type == "cpu":
        return gradient.coalesce()
    rows, order = gradient._indices()[0].sort()
    is_first = torch.nn.functional.pad(rows[1:] != rows[:-1], (1, 0), value=True)
    place = is_first.cumsum(0) - 1
    values = gradient._values()
    sums = torch.zeros_like(values).index_add_(0, place, values[order])
    sole = torch.zeros_like(rows).scatter_(0, place, rows).unsqueeze(0)
    return torch.sparse_coo_tensor(sole, sums, gradient.shape, check_invariants=False)._coalesced_(True)


class Optimizers:
    """Several optimisers as one.

    Attributes:
        parts: the optimisers.
    """

    def __init__(self, parts: list[torch.optim.Optimizer]) -> None:
        self.parts = parts

    def set_learning_rate(self, rate: float) -> None:
        """Set the rate of every group to its own multiple of `rate`."""
        for part in self.parts:
            for group in part.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate * group["rate_factor"])
                else:
                    group["lr"] = rate * group["rate_factor"]

    def zero_grad(self) -> None:
        """Reset the gradients."""
        for part in self.parts:
            part.zero_grad()

    def step(self) -> None:
        """Update all parameters."""
        for part in self.parts:
            part.step()

    def state_tensors(self) -> dict[str, Tensor]:
        """Return the state as tensors named `part.parameter.key`."""
        return {
            f"{number}.{index}.{key}": torch.as_tensor(value).contiguous()
            for number, part in enumerate(self.parts)
            for index, state in part.state_dict()["state"].items()
            for key, value in state.items()
        }

    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Restore the state that `state_tensors` returned."""
        states: list[dict[int, dict[str, Tensor]]] = [{} for _ in self.parts]
        for name, tensor in tensors.items():
            number, index, key = name.split(".", 2)
            states[int(number)].setdefault(int(index), {})[key] = tensor
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict({"state": state, "param_groups": part.state_dict()["param_groups"]})


def build_optimizer(model: M2TRec, config: TrainingConfig, captured: bool = False) -> Optimizers:
    """Build the optimisers of a model for its weights, calibration parameters and item tables.

    With a sampled loss, a step involves few items, so item tables are switched to sparse gradients.

    Args:
        model: the model, on the device that trains.
        config: learning rates and weight decay.
        captured: whether steps are CUDA graphs, for which learning rates must be tensors on the device.
    """
    tables: list[nn.Parameter] = []
    if model.next_item_task.sampled:
        for table in model.modules():
            if isinstance(table, SparseTable):
                table.sparse = True
                tables.extend(table.parameters())
    calibration = model.next_item_head.calibration_parameters()
    apart = {id(parameter) for parameter in [*tables, *calibration]}
    weights = [p for p in model.parameters() if id(p) not in apart]
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": config.weight_decay, "rate_factor": 1.0},
        {"params": calibration, "weight_decay": 0.0, "rate_factor": CALIBRATION_RATE_FACTOR},
    ]
    parts: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=config.learning_rate,
            fused=can_fuse_optimizer(weights[0].device),
            capturable=captured,
        )
    ]
    if tables:
        by_row = RowwiseAdagrad(tables, config.learning_rate)
        by_row.param_groups[0]["rate_factor"] = config.item_learning_rate / config.learning_rate
        parts.append(by_row)
    if captured:
        for group in (group for part in parts for group in part.param_groups):
            group["lr"] = torch.tensor(group["lr"], device=weights[0].device)
    return Optimizers(parts)


def clip_gradients(parameters: Iterable[nn.Parameter], longest: float) -> None:
    """Scale all gradients, dense and sparse, so that their joint norm is at most `longest`."""
    gradients = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = added_up(parameter.grad)
            gradients.append(parameter.grad.values())
        else:
            gradients.append(parameter.grad)
    norm = torch.stack(torch._foreach_norm(gradients)).norm()
    scale = (longest / (norm + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(gradients, scale)
