"""Choice of a step's device from its setting `auto`, `cpu` or `cuda`, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from m2trec_merlin.errors import ConfigError


def torch_lacks() -> str | None:
    """Return why torch cannot use a GPU; None if it can."""
    import torch

    return None if torch.cuda.is_available() else "torch finds no CUDA device"


@dataclass(frozen=True)
class ChosenDevice:
    """The device chosen for a step.

    Attributes:
        device: `cpu` or `cuda`.
        line: a message for the user: the step, its device, and the reason.
    """

    device: str
    line: str


def choose(step: str, wanted: str, lacks: Callable[[], str | None] = torch_lacks) -> ChosenDevice:
    """Choose the device of a step.

    Args:
        step: name of the step's section in the configuration.
        wanted: the section's `device`.
        lacks: a function that returns why a GPU cannot be used, or None; not called for `cpu`.

    Raises:
        ConfigError: `cuda` is wanted but cannot be used.
    """
    if wanted == "cpu":
        return ChosenDevice("cpu", f"{step} on the CPU, as configured")
    missing = lacks()
    if missing is None:
        return ChosenDevice("cuda", f"{step} on the GPU" + (", as configured" if wanted == "cuda" else ""))
    if wanted == "cuda":
        raise ConfigError(f"{step}.device is 'cuda', but {missing}: use 'auto' or 'cpu'")
    return ChosenDevice("cpu", f"{step} on the CPU: {missing}")
