"""The items workflow: raw attributes become ids and numbers, and all items become the catalogue.

    text               -> SubwordTokenize
    categorical        -> AsText -> Categories
    multi-categorical  -> SplitValues -> Categories
    numeric            -> AsNumber -> LogOp, if asked for -> Normalize -> FillMissing
    vector             -> AsVector
    sentence           -> SentenceVectors

There are no id features: the item's id is carried along, never encoded. The same fitted workflow encodes the
catalogue and, in the server, the raw attributes of items that the catalogue never had.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Run as a script, perhaps where nothing is installed: this checkout is the package.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from m2trec_merlin.preprocessing.scripts import run_items

    sys.exit(run_items())

from collections.abc import Sequence
from typing import Any

import numpy as np
from merlin.schema import Tags
from nvtabular import Workflow
from nvtabular.ops import AddTags, FillMissing, LogOp, Normalize, Rename, TagAsItemFeatures

from m2trec_merlin.config import ITEM_ID, AttributeConfig
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.workflows.operators import (
    AsNumber,
    AsText,
    AsVector,
    Categories,
    SplitValues,
)
from m2trec_merlin.workflows.sentences import SentenceVectors
from m2trec_merlin.workflows.subword import SubwordTokenize

#: Items encoded at a time in each process; fewer with sentences, each of which takes milliseconds, so that
#: progress shows and every process has work.
PART_ITEMS, PART_SENTENCES = 50_000, 2_000


def items_workflow(attributes: Sequence[AttributeConfig], storage: Path) -> Workflow:
    """Compose the workflow that encodes raw attributes; fit it on the items seen in training only.

    Args:
        attributes: one output column each; an attribute may share its source column with others.
        storage: folder in which fitting keeps the category vocabularies until the workflow is saved.

    Raises:
        ConfigError: an attribute reads the item id, or shared vocabularies go round in a circle.
    """
    for attribute in attributes:
        if attribute.source_column == ITEM_ID:
            raise ConfigError(f"attribute '{attribute.name}' reads '{ITEM_ID}': item ids are never features")
    encoded = _texts([a for a in attributes if a.kind == "text"])
    encoded += [_encode(a, storage) for a in attributes if a.kind != "text"]
    outputs = [ITEM_ID] >> AddTags([Tags.ITEM_ID])
    for node in encoded:
        outputs = outputs + (node >> TagAsItemFeatures())
    return Workflow(outputs)


def _texts(attributes: Sequence[AttributeConfig]) -> list[Any]:
    by_name = {a.name: a for a in attributes}
    groups: dict[str, list[AttributeConfig]] = {}
    for attribute in attributes:
        groups.setdefault(_vocabulary_owner(attribute, by_name), []).append(attribute)
    nodes = []
    for owner, members in groups.items():
        columns = _source(members[0])
        for member in members[1:]:
            columns = columns + _source(member)
        lengths = {member.name: member.max_tokens for member in members}
        nodes.append(columns >> SubwordTokenize(by_name[owner].vocabulary_size, lengths, shared=True))
    return nodes


def _vocabulary_owner(attribute: AttributeConfig, by_name: dict[str, AttributeConfig]) -> str:
    seen = [attribute.name]
    while (owner := by_name[seen[-1]].shared_vocabulary) is not None:
        if owner in seen:
            raise ConfigError(f"shared_vocabulary goes round in a circle: {' -> '.join([*seen, owner])}")
        seen.append(owner)
    return seen[-1]


def _source(attribute: AttributeConfig) -> Any:
    return [attribute.source_column] >> Rename(name=attribute.name)


def _encode(attribute: AttributeConfig, storage: Path) -> Any:
    column = _source(attribute)
    if attribute.kind == "vector":
        return column >> AsVector(attribute.size or 0)
    if attribute.kind == "sentence":
        return column >> SentenceVectors()
    if attribute.kind == "numeric":
        numbers = column >> AsNumber(minimum=0 if attribute.log else None)
        numbers = numbers >> LogOp() if attribute.log else numbers
        # Filled last: the mean of the known values is then 0, and does not depend on the missing ones.
        return numbers >> Normalize(out_dtype=np.float32) >> FillMissing(0)
    categories = Categories(freq_threshold=attribute.min_count, out_path=str(storage), dtype=np.int64)
    if attribute.kind == "categorical":
        return column >> AsText() >> categories
    return column >> SplitValues(attribute.separator, attribute.max_tokens) >> categories


def encode_items(workflow: Workflow, frame: Any) -> Any:
    """Encode raw items with a fitted workflow: the catalogue's rows and a request's items alike.

    Args:
        workflow: from `items_workflow`, fitted or loaded.
        frame: raw items, one a line; columns that it lacks count as missing, others are ignored.

    Returns:
        A frame of `item_id` and one column per attribute, in the order of `frame`: int64 ids, arrays of
        int64 ids, float32 numbers, arrays of float32 numbers.

    Raises:
        DataError: a vector is not of its size.
    """
    raw = frame.reset_index(drop=True)
    if not len(raw):
        return type(raw)(columns=workflow.output_schema.column_names)
    wanted = workflow.input_schema.column_names
    for column in wanted:
        if column not in raw.columns:
            raw[column] = None
    return workflow.transform(raw[wanted])
