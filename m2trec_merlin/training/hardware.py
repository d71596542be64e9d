"""The choice of a training's device, and of the precision of its matrix products."""

from __future__ import annotations

import torch

from m2trec_merlin.devices import choose
from m2trec_merlin.frames import Frames, library
from m2trec_merlin.preprocessing.device import lacks

#: Events per step from which on bfloat16 pays on a CPU: oneDNN compiles a kernel for each shape of products
#: and keeps a thousand of them, a gigabyte; two steps seldom have the same shapes.
_LONG_STEP = 2048


def choose_device(wanted: str, number: int = 0) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`.

    Args:
        wanted: configured device.
        number: index of the GPU, on a machine with several.

    Raises:
        ConfigError: `cuda` is wanted but cannot be used.
    """
    chosen = choose("training", wanted).device
    return torch.device("cuda", number) if chosen == "cuda" else torch.device(chosen)


def frames_for(device: torch.device) -> Frames:
    """Return the library of data frames that reads for a device: cuDF into a GPU's memory, otherwise pandas.

    cuDF only serves the first GPU: others would need their own context in each thread that reads.
    """
    on_gpu = device.type == "cuda" and not device.index and lacks() is None
    return library("cudf" if on_gpu else "pandas")


def choose_precision(wanted: str, device: torch.device, events_a_step: int) -> torch.dtype:
    """Return the type of matrix products for `auto`, `float32` or `bfloat16`.

    `auto` chooses bfloat16 if it is faster: if the hardware multiplies it, and on a CPU only for long steps.

    Args:
        wanted: configured precision.
        device: the device that trains.
        events_a_step: number of events per step.
    """
    if wanted == "auto":
        if device.type == "cuda":
            faster = torch.cuda.is_bf16_supported()
        else:
            faster = events_a_step >= _LONG_STEP and _cpu_multiplies_bfloat16()
        return torch.bfloat16 if faster else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wanted]


def can_fuse_optimizer(device: torch.device) -> bool:
    """Tell whether this torch has an AdamW that updates a parameter in one pass (on CPUs since 2.4)."""
    major, minor = torch.__version__.split(".")[:2]
    return device.type == "cuda" or (int(major), int(minor)) >= (2, 4)


def _cpu_multiplies_bfloat16() -> bool:
    """Tell whether the CPU multiplies bfloat16, by private functions of torch whose names have changed."""
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in questions)
