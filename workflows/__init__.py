"""The two NVTabular workflows: items to catalogue rows, interactions to sessions of rows.

Installed as `m2trec_merlin.workflows`; `python workflows/items.py` runs from a bare checkout, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from m2trec_merlin import merlin_adapter


def _load_workflow(directory: Path) -> Any:
    from m2trec_merlin.workflows.storage import load_workflow

    return load_workflow(directory)


merlin_adapter.prepare_merlin()
# Scripts of before workflows were stored as data look for it there.
merlin_adapter.load_workflow = _load_workflow  # type: ignore[attr-defined]
