"""Why a file is not there."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files.table_file import TableFile


def test_a_name_that_differs_by_its_unicode_form_alone_is_told(tmp_path: Path) -> None:
    (tmp_path / unicodedata.normalize("NFD", "café.csv")).write_text("a\n1\n")
    with pytest.raises(DataError, match=r"no such file or folder; one there is called so with letters"):
        TableFile(tmp_path / unicodedata.normalize("NFC", "café.csv")).columns()


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    link = tmp_path / "items.csv"
    link.symlink_to("/nowhere/items.csv")
    with pytest.raises(DataError, match=r"folder: it is a link to /nowhere/items\.csv, which is not there$"):
        TableFile(link).columns()
