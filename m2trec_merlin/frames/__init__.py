"""The seam to libraries of data frames.

An operator is handed a frame, asks `frames_of` for the functions of its library, and never looks inside.
Pandas stands behind it, by way of Arrow; another library is one more class and one more line of the table.
"""

from __future__ import annotations

from m2trec_merlin.frames.pandas_frames import PandasFrames
from m2trec_merlin.frames.protocol import Column, EncodeTexts, Frame, Frames

__all__ = ["Column", "EncodeTexts", "Frame", "Frames", "frames_of"]

#: By the package that defines a frame's class.
_LIBRARIES: dict[str, Frames] = {"pandas": PandasFrames()}


def frames_of(frame: Frame) -> Frames:
    """Return the functions of the library that a frame belongs to.

    Raises:
        TypeError: it is of no library of the table.
    """
    package = type(frame).__module__.partition(".")[0]
    if package not in _LIBRARIES:
        raise TypeError(f"frames of '{package}' are not known; accepted: {', '.join(_LIBRARIES)}")
    return _LIBRARIES[package]
