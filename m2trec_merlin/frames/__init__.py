"""The interface to data frame libraries: pandas (by way of Arrow) and cuDF.

An operator receives a frame, asks `frames_of` for the functions of the frame's library, and never looks
inside the frame. To support another library, write one more class and add it to the table below.
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

    # Without the driver's memory pool, each new column would wait for the whole device.
    rmm.mr.set_current_device_resource(rmm.mr.CudaAsyncMemoryResource())
    return CudfFrames(cudf, cupy)


#: Constructors of the implementations, by the top-level package that defines the class of a frame.
_LIBRARIES: dict[str, Callable[[], Frames]] = {"pandas": PandasFrames, "cudf": _cudf_frames}


@cache
def library(package: str) -> Frames:
    """Return the functions for frames of a library, given by its package name.

    Raises:
        TypeError: the library is not supported.
        ImportError: the library is not installed.
    """
    if package not in _LIBRARIES:
        raise TypeError(f"frames of '{package}' are not known; accepted: {', '.join(_LIBRARIES)}")
    return _LIBRARIES[package]()


def frames_of(frame: Frame) -> Frames:
    """Return the functions for frames of the library that this frame belongs to.

    Raises:
        TypeError: the library is not supported.
    """
    return library(type(frame).__module__.partition(".")[0])
