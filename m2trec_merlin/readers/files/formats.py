"""Recognise by their beginning files that are not delimited text."""

from __future__ import annotations

import re

_BINARY = "binary: save the table as CSV or Parquet"
_A_ROW_EACH = "write it as CSV or Parquet, with a row for each event or each item"
#: Beginnings of files that are not delimited text, with a description and advice.
_BEGINNINGS = {
    rb"PAR1": "a Parquet file: let its name end in .parquet",
    rb"PK\x03\x04": "a workbook or a zip archive: save the table as CSV",
    rb"\xd0\xcf\x11\xe0": "a workbook: save the table as CSV",
    rb"\x1f\x8b": "compressed: let its name end in .gz",
    rb"BZh[1-9]": "compressed: let its name end in .bz2",
    rb"\x28\xb5\x2f\xfd": "compressed: let its name end in .zst",
    rb"ARROW1|ORC[\x00-\x1f\x80-\xff]|Obj\x01|SQLite format|\x89HDF|\x93NUMPY|\x80[\x02-\x05]": _BINARY,
    rb"(?:\xef\xbb\xbf)?\s*\{[ \t]*\"[^\n]*\}[ \t\r]*\n": (
        f"JSON, an object a line: {_A_ROW_EACH}; pandas.read_json(..., lines=True) reads it"
    ),
    rb"(?:\xef\xbb\xbf)?\s*\{\s*\"": (
        f"JSON: {_A_ROW_EACH}; pandas.read_json reads it, with orient='index' if names stand before rows"
    ),
    rb"(?:\xef\xbb\xbf)?\s*\[\s*\{\s*\"": f"JSON: {_A_ROW_EACH}; pandas.read_json reads it",
    rb"\s*(?:\[\s*)?\{\s*u?'": f"text of Python, not JSON: {_A_ROW_EACH}; ast.literal_eval reads a line",
    rb"(?i)(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|table|\?xml)": "a web page or XML, not CSV",
    rb"version https://git-lfs": "a pointer of Git LFS: fetch the file itself by `git lfs pull`",
}


def other_format(start: bytes) -> str:
    """Return the format of a file that begins so, with advice; empty if it may be delimited text."""
    return next((what for beginning, what in _BEGINNINGS.items() if re.match(beginning, start)), "")


def is_binary(start: bytes) -> str:
    """Return the same if the first line holds zero bytes, but too few for UTF-16."""
    line = start.partition(b"\n")[0]
    return _BINARY if 0 < line.count(b"\0") < len(line) / 4 else ""
