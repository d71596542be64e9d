"""The items workflow: raw attributes become ids and numbers, and all items become the catalogue.

Each kind of attribute composes the operators of its own branch (`m2trec_merlin/attributes/`). There are no id
features: the item's id is carried along, never encoded. The same fitted workflow encodes the catalogue and,
in the server, the raw attributes of items that the catalogue never had.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Run as a script, perhaps where nothing is installed: this checkout is the package.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from m2trec_merlin.preprocessing.scripts import run_items

    sys.exit(run_items())

from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

import pandas as pd
from merlin.schema import Tags
from nvtabular import Workflow
from nvtabular.ops import AddTags, Rename, TagAsItemFeatures

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.attributes.base import Node
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.merlin_adapter import OperatorChain

#: Of the workflows that have encoded something.
_CHAINS: WeakKeyDictionary[Workflow, OperatorChain] = WeakKeyDictionary()


def items_workflow(attributes: Sequence[Attribute], storage: Path) -> Workflow:
    """Compose the workflow that encodes raw attributes; fit it on the items seen in training only.

    Args:
        attributes: of a valid configuration, one output column each; attributes may share a source column.
        storage: folder in which fitting keeps the category vocabularies until the workflow is saved.
    """
    outputs: Node = [ITEM_ID] >> AddTags([Tags.ITEM_ID])
    for encoded in encoded_groups(attributes, storage):
        outputs = outputs + (encoded >> TagAsItemFeatures())
    return Workflow(outputs)


def encoded_groups(attributes: Sequence[Attribute], storage: Path) -> Iterator[Node]:
    """Compose the operators of each group of attributes that share a vocabulary; see `items_workflow`."""
    by_name = {attribute.name: attribute for attribute in attributes}
    groups: dict[str, list[Attribute]] = {}
    for attribute in attributes:
        groups.setdefault(attribute.vocabulary_owner(by_name), []).append(attribute)
    for owner, members in groups.items():
        yield by_name[owner].encode(_sources(members), members, storage)


def _sources(attributes: Sequence[Attribute]) -> Node:
    """The raw columns, renamed to the attributes that read them."""
    columns: Node = [attributes[0].source_column] >> Rename(name=attributes[0].name)
    for attribute in attributes[1:]:
        columns = columns + ([attribute.source_column] >> Rename(name=attribute.name))
    return columns


def encode_items(workflow: Workflow, frame: pd.DataFrame) -> pd.DataFrame:
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
        return pd.DataFrame(columns=workflow.output_schema.column_names)
    wanted = workflow.input_schema.column_names
    for column in wanted:
        if column not in raw.columns:
            raw[column] = None
    if workflow not in _CHAINS:
        _CHAINS[workflow] = OperatorChain(workflow)
    return _CHAINS[workflow].transform(raw[wanted])
