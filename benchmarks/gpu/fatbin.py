"""Libraries for one GPU architecture: machine code of all others becomes zeros, which compress to nothing.

CUDA libraries carry the same kernels once for each architecture, in fat binaries: a header, then an entry an
architecture. The driver takes the entry of the GPU at hand and looks at no other. Sizes and offsets stay as
they were, so nothing else in the library changes.
"""

from __future__ import annotations

import struct

#: A fat binary begins with its magic number, version 1 and the size of its header, 16.
_HEADER = struct.pack("<IHH", 0xBA55ED50, 1, 16)
#: Of an entry: kind (1 PTX, 2 machine code), flags, size of its own header, size of what follows.
_ENTRY = struct.Struct("<HHIQ")
#: Where an entry says for which architecture it is, such as 90.
_ARCHITECTURE_AT = 28
#: Where a header has the size of all entries.
_SIZE_AT = 8


def keep_architecture(library: bytearray, architecture: int) -> int:
    """Blank the code of all other architectures in place.

    A fat binary without code for `architecture` stays as it is: its PTX may be what the driver compiles.

    Args:
        library: the bytes of a shared library.
        architecture: such as 90 for Hopper.

    Returns:
        How many bytes were blanked.
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
    """Return where the code of each entry begins, its size and its architecture; none if it is no binary."""
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
