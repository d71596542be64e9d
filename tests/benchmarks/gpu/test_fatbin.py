"""Of a library's fat binaries, only the machine code for one GPU stays."""

from __future__ import annotations

import struct

from benchmarks.gpu.fatbin import keep_architecture


def entry(architecture: int, code: bytes, kind: int = 2) -> bytes:
    header = struct.pack("<HHIQ", kind, 0, 64, len(code)) + bytes(12) + struct.pack("<I", architecture)
    return header.ljust(64, b"\1") + code


def binary(*entries: bytes) -> bytes:
    payload = b"".join(entries)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(payload)) + payload


def test_code_of_other_architectures_becomes_zeros_and_nothing_moves():
    old, ours, ptx = entry(80, b"a" * 100), entry(90, b"b" * 50), entry(75, b"p" * 30, kind=1)
    library = bytearray(b"text" + binary(old, ours, ptx) + b"between" + binary(ours) + b"end")
    blanked = keep_architecture(library, 90)
    wanted = b"text" + binary(entry(80, bytes(100)), ours, entry(75, bytes(30), kind=1))
    assert bytes(library) == wanted + b"between" + binary(ours) + b"end"
    assert blanked == 130


def test_a_binary_without_code_for_the_gpu_keeps_what_the_driver_may_compile():
    library = bytearray(binary(entry(80, b"a" * 10), entry(80, b"p" * 10, kind=1)))
    before = bytes(library)
    assert keep_architecture(library, 90) == 0
    assert bytes(library) == before


def test_what_only_looks_like_a_binary_is_left_alone():
    magic = struct.pack("<IHHQ", 0xBA55ED50, 1, 16, 40)
    for rest in (b"", b"\7" * 40, struct.pack("<HHIQ", 2, 0, 64, 1 << 40).ljust(40, b"\0")):
        library = bytearray(magic + rest)
        assert keep_architecture(library, 90) == 0
        assert bytes(library) == magic + rest
