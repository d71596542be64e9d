"""Explain why a file or folder that a setting or a command names does not exist."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path


def explain_missing(path: Path) -> str:
    """Return a message that a file is missing, with a possible reason."""
    return f"{path}: no such file or folder{_explain_path(path)}"


def _explain_path(path: Path) -> str:
    if path.is_symlink():
        return f": it is a link to {path.readlink()}, which is not there"
    if re.search(r"[*?]", path.name):
        return "; a pattern names no files: name their folder"
    if re.search(r"(^|/)[A-Za-z][A-Za-z0-9+.-]+:/", str(path)):
        return "; what lies at an address is not fetched: download it, and name the file"
    if "$" in str(path):
        return "; variables are not replaced: write the path itself"
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    wanted = unicodedata.normalize("NFC", path.name)
    if any(unicodedata.normalize("NFC", each.name) == wanted for each in beside):
        return "; one there is called so with letters composed otherwise (Unicode NFC, NFD): copy its name"
    return ""
