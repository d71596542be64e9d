"""The two NVTabular workflows: items become catalogue rows, interactions become sessions of these rows.

The package is installed as `m2trec_merlin.workflows`; `python workflows/items.py` also runs from a bare
checkout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from m2trec_merlin import merlin_adapter


def _load_workflow(directory: Path) -> Any:
    from m2trec_merlin.workflows.storage import load_workflow

    return load_workflow(directory)


merlin_adapter.prepare_merlin()
# Scripts written before workflows were stored as data import `load_workflow` from `merlin_adapter`.
merlin_adapter.load_workflow = _load_workflow  # type: ignore[attr-defined]
