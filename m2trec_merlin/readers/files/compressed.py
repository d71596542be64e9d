"""Files that may be compressed: by the end of their names, in small or capital letters."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from m2trec_merlin.errors import DataError

#: Ends of names, and what Arrow calls how such files are compressed.
_CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
#: What compressed files begin with.
_BEGINNINGS = {"gzip": b"\x1f\x8b", "bz2": b"BZh", "zstd": b"\x28\xb5\x2f\xfd"}


def suffix_of(file: Path) -> str:
    """Return what the name says that a file is, in small letters: .csv of a.CSV.gz; empty if nothing."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in _CODECS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def open_bytes(file: Path) -> pa.NativeFile:
    """Open a file, to read what is compressed in it.

    Raises:
        DataError: it is not compressed as its name says.
    """
    # Arrow itself would go by small letters alone.
    codec = _CODECS.get(file.suffix.lower())
    if codec is not None and file.stat().st_size and not begins_with(file, _BEGINNINGS[codec]):
        raise DataError(
            str(file), [f"{file}: is not compressed by {codec}, as its name says: call it {file.stem}"]
        )
    return pa.input_stream(str(file), compression=codec)


def begins_with(file: Path, start: bytes) -> bool:
    """Tell whether the first bytes of a file are these."""
    with file.open("rb") as opened:
        return opened.read(len(start)) == start
