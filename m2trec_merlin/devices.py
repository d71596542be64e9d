"""The device of a step: `auto`, `cpu` or `cuda` as configured, and why it is what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from m2trec_merlin.errors import ConfigError


def torch_lacks() -> str | None:
    """Return what the use of a GPU by torch lacks, None if nothing."""
    import torch

    return None if torch.cuda.is_available() else "torch finds no CUDA device"


@dataclass(frozen=True)
class ChosenDevice:
    """A device that was chosen.

    Attributes:
        device: `cpu` or `cuda`.
        line: what a person is told: the step, its device, and why.
    """

    device: str
    line: str


def choose(step: str, wanted: str, lacks: Callable[[], str | None] = torch_lacks) -> ChosenDevice:
    """Choose the device of a step.

    Args:
        step: section of the configuration.
        wanted: its `device`.
        lacks: tells what the use of a GPU lacks, None if nothing; not asked for `cpu`.

    Raises:
        ConfigError: `cuda` is wanted and something is missing.
    """
    if wanted == "cpu":
        return ChosenDevice("cpu", f"{step} on the CPU, as configured")
    missing = lacks()
    if missing is None:
        return ChosenDevice("cuda", f"{step} on the GPU" + (", as configured" if wanted == "cuda" else ""))
    if wanted == "cuda":
        raise ConfigError(f"{step}.device is 'cuda', but {missing}: use 'auto' or 'cpu'")
    return ChosenDevice("cpu", f"{step} on the CPU: {missing}")
