"""What a training runs on: the device, and the precision of its matrix products."""

from __future__ import annotations

import torch

from m2trec_merlin.devices import choose
from m2trec_merlin.frames import Frames, library
from m2trec_merlin.preprocessing.device import lacks

#: Events of a step from which on a CPU gains by bfloat16: for each shape of products oneDNN compiles a kernel
#: and keeps a thousand of them, a gigabyte; the shapes of a step are seldom those of another.
_LONG_STEP = 2048


def choose_device(wanted: str, number: int = 0) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`.

    Args:
        wanted: as configured.
        number: which GPU, where a machine has several.

    Raises:
        ConfigError: `cuda` is wanted and there is none.
    """
    chosen = choose("training", wanted).device
    return torch.device("cuda", number) if chosen == "cuda" else torch.device(chosen)


def frames_for(device: torch.device) -> Frames:
    """Return the frames that read for a device: cuDF's into the memory of a GPU, or else pandas' by the host.

    Other GPUs than the first would need contexts of their own in each thread that reads.
    """
    on_gpu = device.type == "cuda" and not device.index and lacks() is None
    return library("cudf" if on_gpu else "pandas")


def choose_precision(wanted: str, device: torch.device, events_a_step: int) -> torch.dtype:
    """Return the type of matrix products for `auto`, `float32` or `bfloat16`.

    `auto` takes bfloat16 where it is faster: where the hardware multiplies it, on a CPU in long steps only.

    Args:
        wanted: as configured.
        device: that multiplies.
        events_a_step: of which a step is made.
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
    """Ask torch, whose names for these questions are private and have changed."""
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in questions)
