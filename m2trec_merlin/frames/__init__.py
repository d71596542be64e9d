"""The seam to libraries of data frames.

An operator is handed a frame, asks `frames_of` for the functions of its library, and never looks inside.
Pandas stands behind it, by way of Arrow, or cuDF; another library is one more class and one more line of
the table.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from m2trec_merlin.frames.cudf_frames import CudfFrames
from m2trec_merlin.frames.pandas_frames import PandasFrames
from m2trec_merlin.frames.protocol import Column, EncodeTexts, Frame, Frames

__all__ = ["Column", "EncodeTexts", "Frame", "Frames", "frames_of", "library"]


def _cudf_frames() -> Frames:
    import cudf
    import cupy
    import rmm.mr

    # From a pool of the driver: each new column would else wait for the whole device.
    rmm.mr.set_current_device_resource(rmm.mr.CudaAsyncMemoryResource())
    return CudfFrames(cudf, cupy)


#: By the package that defines a frame's class.
_LIBRARIES: dict[str, Callable[[], Frames]] = {"pandas": PandasFrames, "cudf": _cudf_frames}


@cache
def library(package: str) -> Frames:
    """Return the functions of a library of the table.

    Raises:
        TypeError: it is not in the table.
        ImportError: it is not installed.
    """
    if package not in _LIBRARIES:
        raise TypeError(f"frames of '{package}' are not known; accepted: {', '.join(_LIBRARIES)}")
    return _LIBRARIES[package]()


def frames_of(frame: Frame) -> Frames:
    """Return the functions of the library that a frame belongs to.

    Raises:
        TypeError: it is of no library of the table.
    """
    return library(type(frame).__module__.partition(".")[0])
