"""From raw items to the rows of a catalogue version, by the exported workflow and graph.

Shape legend: M items, I item width, D model width.
"""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.columns import as_text
from m2trec_merlin.contract.checksums import require_sealed
from m2trec_merlin.contract.item_format import ItemFormat
from m2trec_merlin.contract.version import ITEM_GRAPH, ITEMS_WORKFLOW, Description
from m2trec_merlin.encoded import join_items, no_items
from m2trec_merlin.progress import Progress
from m2trec_merlin.serving.catalogue.raw_items import Raw
from m2trec_merlin.serving.catalogue.shown import shown_columns
from m2trec_merlin.serving.runtime.catalogue.graph import CatalogueEncoder, history_tables
from m2trec_merlin.serving.runtime.reading.new_items import Ignored, NewItemEncoder, summed_up

_AT_ONCE = 10_000


@dataclass(frozen=True)
class EncodedRows:
    """M items as a server needs them.

    Attributes:
        shown: table of id, title, occurrences and filter columns, like that of the export.
        vectors: float32 [M, I], item vectors.
        candidates: float32 [M, D], candidate vectors.
        biases: float32 [M], biases of the candidates.
    """

    shown: pa.Table
    vectors: np.ndarray
    candidates: np.ndarray
    biases: np.ndarray


class RowEncoder:
    """Encodes items in the same way as the export.

    Args:
        preprocess: version folder of the first step.
        predict: version folder of the second step.
        written: format of the item tables.

    Raises:
        ArtifactError: files of the export were altered.
    """

    def __init__(self, preprocess: Path, predict: Path, written: ItemFormat) -> None:
        description = Description.open(preprocess)
        tables = [path.name for path in history_tables(predict).values()]
        require_sealed(predict, files=(ITEM_GRAPH, *tables))
        self._format = written
        self._graph = CatalogueEncoder(predict)
        self._workflow, self._attributes = preprocess / ITEMS_WORKFLOW, description.attributes

    def encode(
        self,
        ids: Sequence[str],
        items: Sequence[Raw],
        histories: np.ndarray,
        counts: np.ndarray,
        told: Sequence[Container[str]],
        progress: Progress,
    ) -> EncodedRows:
        """Encode items.

        Args:
            ids: ids of the M items.
            items: raw attributes of the items.
            histories: int64 [M], rows of the export whose training history the items have; NO_ITEM for none.
            counts: int64 [M], training occurrences.
            told: columns of each item whose ignored values are to be reported.
            progress: listener for the progress, and for values that are of no use to the model.
        """
        parts = [no_items([attribute.field for attribute in self._attributes])]
        raw: list[dict[str, Any]] = [
            {name: value for name, value in json.loads(item).items() if value is not None} for item in items
        ]
        if raw:
            # The encoder of requests, so that attributes mean the same in a table and in a request.
            encoder = NewItemEncoder(self._workflow, self._attributes)
            ignored: list[list[Ignored]] = []
            for start in range(0, len(raw), _AT_ONCE):
                progress.advance("items", start, len(raw))
                encoded, of_part = encoder.encode_together(raw[start : start + _AT_ONCE])
                parts.append(encoded)
                ignored += of_part
            progress.advance("items", len(raw), len(raw))
            news = [
                [note for note in notes if note.column in columns]
                for notes, columns in zip(ignored, told, strict=True)
            ]
            for note in summed_up(news):
                progress.say(note)
        vectors, candidates, biases = self._graph.encode(join_items(parts), histories)
        return EncodedRows(self._shown(ids, raw, counts), vectors, candidates, biases)

    def _shown(self, ids: Sequence[str], raw: Sequence[dict[str, Any]], counts: np.ndarray) -> pa.Table:
        attributes = [parse_attribute(**settings) for settings in self._format.attributes]
        columns = list(dict.fromkeys([self._format.titles_from, *(a.source_column for a in attributes)]))
        values = {name: [item.get(name) for item in raw] for name in columns}
        frame = pd.DataFrame(values, columns=columns, dtype=object)
        if self._format.titles_from == ITEM_ID:
            frame[ITEM_ID] = list(ids)
        titles = pc.fill_null(as_text(frame[self._format.titles_from]), "")
        return shown_columns(
            attributes,
            ids,
            titles,
            counts,
            {a.name: frame[a.source_column] for a in attributes if a.is_shown},
        )
