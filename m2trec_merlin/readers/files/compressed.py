"""Files that may be compressed, as told by the end of their names, whatever the case."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from m2trec_merlin.errors import DataError

#: Ends of names, and Arrow's names of the compressions.
_CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
#: The first bytes of compressed files.
_BEGINNINGS = {"gzip": b"\x1f\x8b", "bz2": b"BZh", "zstd": b"\x28\xb5\x2f\xfd"}


def suffix_of(file: Path) -> str:
    """Return the suffix of a file in lower case, without that of a compression: .csv for a.CSV.gz, or ""."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in _CODECS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def open_bytes(file: Path) -> pa.NativeFile:
    """Open a file to read its decompressed content.

    Raises:
        DataError: the file is not compressed as its name says.
    """
    # Arrow itself recognises only lower-case suffixes.
    codec = _CODECS.get(file.suffix.lower())
    if codec is not None and file.stat().st_size and not begins_with(file, _BEGINNINGS[codec]):
        raise DataError(
            str(file), [f"{file}: is not compressed by {codec}, as its name says: call it {file.stem}"]
        )
    # Arrow reads ~/name in the home folder, but ~ may be a folder here: settings know which is meant.
    return pa.input_stream(str(file.absolute()), compression=codec)


def begins_with(file: Path, start: bytes) -> bool:
    """Tell whether a file begins with these bytes."""
    with file.open("rb") as opened:
        return opened.read(len(start)) == start
