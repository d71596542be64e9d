"""Files that may be compressed: by the end of their names, in small or capital letters."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

#: Ends of names, and what Arrow calls how such files are compressed.
_CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


def suffix_of(file: Path) -> str:
    """Return what the name says that a file is, in small letters: .csv of a.CSV.gz; empty if nothing."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in _CODECS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def open_bytes(file: Path) -> pa.NativeFile:
    """Open a file, to read what is compressed in it."""
    # Arrow itself would go by small letters alone.
    return pa.input_stream(str(file), compression=_CODECS.get(file.suffix.lower()))
