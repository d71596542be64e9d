"""Reduce libraries to one GPU architecture: machine code of all others becomes zeros, which compress well.

CUDA libraries hold the same kernels once for each architecture, in fat binaries: a header, then one entry per
architecture. The driver reads only the entry of the GPU in use. Sizes and offsets stay the same, so nothing
else in the library changes.
"""

from __future__ import annotations

import struct

#: A fat binary begins with its magic number, version 1 and the size of its header, 16.
_HEADER = struct.pack("<IHH", 0xBA55ED50, 1, 16)
#: The beginning of an entry: kind (1 PTX, 2 machine code), flags, size of its header, size of its code.
_ENTRY = struct.Struct("<HHIQ")
#: Offset of the architecture in an entry, such as 90.
_ARCHITECTURE_AT = 28
#: Offset of the size of all entries in a header.
_SIZE_AT = 8


def keep_architecture(library: bytearray, architecture: int) -> int:
    """Blank the code of all other architectures in place.

    A fat binary without code for `architecture` stays as it is, because the driver may compile its PTX.

    Args:
        library: the bytes of a shared library.
        architecture: the architecture to keep, such as 90 for Hopper.

    Returns:
        The number of blanked bytes.
    """
    blanked = 0
    at = library.find(_HEADER)
    while at >= 0:
        entries = _entries(library, at)
        if any(found == architecture for _, _, found in entries):
            for begin, size, found in entries:
                if found != architecture:
                    library[begin : begin + size] = bytes(size)
                    blanked += size
        at = library.find(_HEADER, at + len(_HEADER))
    return blanked


def _entries(library: bytearray, at: int) -> list[tuple[int, int, int]]:
    """Return the offset, size and architecture of each entry's code; empty if this is no fat binary."""
    (size,) = struct.unpack_from("<Q", library, at + _SIZE_AT)
    begin, end, found = at + 16, at + 16 + size, []
    if end > len(library):
        return []
    while begin < end:
        if begin + _ENTRY.size > end:
            return []
        kind, _, header, payload = _ENTRY.unpack_from(library, begin)
        if kind not in (1, 2) or header < _ARCHITECTURE_AT + 4 or begin + header + payload > end:
            return []
        (architecture,) = struct.unpack_from("<I", library, begin + _ARCHITECTURE_AT)
        found.append((begin + header, payload, architecture))
        begin += header + payload
    return found
