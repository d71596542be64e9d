"""Choose where the workflows run: with cuDF on a GPU, or with pandas."""

from __future__ import annotations

import os

from m2trec_merlin.devices import ChosenDevice, choose
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.frames import Frames, library
from m2trec_merlin.merlin_adapter import teach_merlin


def choose_preprocessing_device(wanted: str) -> ChosenDevice:
    """Return the device for `auto`, `cpu` or `cuda`, with the reason.

    Raises:
        ConfigError: `cuda` is wanted, but cuDF or a GPU is missing.
    """
    return choose("preprocessing", wanted, lacks)


def frames_on(device: str) -> Frames:
    """Return the functions for frames on `cpu` or `cuda`; for `cuda`, Merlin is taught cuDF's frames.

    Raises:
        ConfigError: cuDF or a GPU is missing, for instance on a Dask worker.
    """
    if device == "cpu":
        return library("pandas")
    if (missing := lacks()) is not None:
        raise ConfigError(f"preprocessing.device is 'cuda', but {missing}")
    import cudf

    teach_merlin(cudf)
    return library("cudf")


def gpus() -> list[str]:
    """Return the names of the GPUs that this process may use, as in CUDA_VISIBLE_DEVICES.

    Call this only if a GPU was chosen, because CuPy counts them.
    """
    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return [name.strip() for name in visible.split(",")]
    import cupy

    return [str(number) for number in range(cupy.cuda.runtime.getDeviceCount())]


def lacks() -> str | None:
    """Return what is missing for preprocessing on a GPU, or None."""
    try:
        import cupy
    except ImportError:
        return "cuDF is not installed; where there is a GPU: pip install 'm2trec-merlin[gpu]'"
    try:
        if not cupy.cuda.runtime.getDeviceCount():
            return "CuPy finds no GPU"
        import cudf  # noqa: F401
    except Exception as error:  # each release has other classes for errors of the driver
        return f"cuDF cannot use a GPU here ({type(error).__name__}: {error})"
    return None
