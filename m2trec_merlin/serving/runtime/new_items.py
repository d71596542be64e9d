"""Raw attributes of items that the catalogue never had, encoded by the NVTabular items workflow."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from m2trec_merlin.encoded import EncodedColumn, EncodedItems
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.serving.contract.version import RawAttribute


class NewItemEncoder:
    """Encodes raw attributes exactly as the catalogue's were.

    Importing NVTabular and a sentence encoder takes seconds, so it starts at once in the background; requests
    for known items are answered meanwhile, and the first one with raw attributes waits for it.

    Args:
        directory: of the saved items workflow.
        attributes: those the model reads.
    """

    def __init__(self, directory: Path, attributes: Sequence[RawAttribute]) -> None:
        self._attributes = attributes
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="items-workflow")
        self._workflow = executor.submit(_load, directory)
        executor.shutdown(wait=False)

    def encode(self, items: Sequence[dict[str, Any]]) -> EncodedItems:
        """Encode items, given by raw column.

        Args:
            items: one at least; absent columns count as missing.

        Raises:
            MissingDependencyError: NVTabular is not installed where the server runs.
            ArtifactError: the workflow's files were altered.
            DataError: a value cannot be encoded, such as a vector of another size.
        """
        workflow, encode_items = self._workflow.result()
        import pandas as pd

        from m2trec_merlin.columns import to_arrow

        columns = list(dict.fromkeys(attribute.column for attribute in self._attributes))
        frame = pd.DataFrame([[item.get(column) for column in columns] for item in items], columns=columns)
        encoded = encode_items(workflow, frame)
        fields = [attribute.field for attribute in self._attributes]
        return {f.name: EncodedColumn.from_arrow(f, to_arrow(encoded[f.name])) for f in fields}


def _load(directory: Path) -> tuple[Any, Any]:
    try:
        from m2trec_merlin.attributes.operators import load_operators
        from m2trec_merlin.merlin_adapter import load_workflow
        from m2trec_merlin.workflows.items import encode_items
    except ImportError as error:
        raise MissingDependencyError(
            f"items given by raw attributes need NVTabular in the server's Python, where {error.name} is "
            "missing: install m2trec-merlin there, or send ids of the catalogue only"
        ) from error
    workflow = load_workflow(directory)
    load_operators(workflow)
    return workflow, encode_items
