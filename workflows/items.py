"""The items workflow: encode the raw attributes of all items as ids and numbers, which make the catalogue.

Each kind of attribute (`m2trec_merlin/attributes/`) composes its own branch of operators. Item ids are no
features: they are carried along, never encoded. The fitted workflow encodes the catalogue and, in the server,
the raw attributes of items that are not in the catalogue.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # As a script, this may run where the package is not installed: import it from this checkout.
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

#: The operator chain of each workflow that has encoded items in this process.
_CHAINS: WeakKeyDictionary[Workflow, OperatorChain] = WeakKeyDictionary()


def items_workflow(attributes: Sequence[Attribute], storage: Path) -> Workflow:
    """Compose the workflow that encodes raw attributes; fit it only on items that occur in training.

    Args:
        attributes: the attributes of a valid configuration. Each gives one output column; several may read
            the same source column.
        storage: the folder where fitting keeps the category vocabularies until the workflow is saved.
    """
    outputs: Node = [ITEM_ID] >> AddTags([Tags.ITEM_ID])
    for encoded in encoded_groups(attributes, storage):
        outputs = outputs + (encoded >> TagAsItemFeatures())
    return Workflow(outputs)


def encoded_groups(attributes: Sequence[Attribute], storage: Path) -> Iterator[Node]:
    """Yield one node of operators per group of attributes that share a vocabulary; see `items_workflow`."""
    by_name = {attribute.name: attribute for attribute in attributes}
    groups: dict[str, list[Attribute]] = {}
    for attribute in attributes:
        groups.setdefault(attribute.vocabulary_owner(by_name), []).append(attribute)
    for owner, members in groups.items():
        yield by_name[owner].encode(_sources(members), members, storage)


def _sources(attributes: Sequence[Attribute]) -> Node:
    """Return a node of the raw columns, each renamed to the attribute that reads it."""
    columns: Node = [attributes[0].source_column] >> Rename(name=attributes[0].name)
    for attribute in attributes[1:]:
        columns = columns + ([attribute.source_column] >> Rename(name=attribute.name))
    return columns


def encode_items(workflow: Workflow, frame: pd.DataFrame) -> pd.DataFrame:
    """Encode raw items with a fitted workflow, be they rows of the catalogue or items of a request.

    Args:
        workflow: a workflow from `items_workflow`, fitted or loaded.
        frame: the raw items, one per row. Absent columns count as missing values; extra ones are ignored.

    Returns:
        A frame of `item_id` and one column per attribute, rows in the order of `frame`. Depending on the
        attribute, values are int64 ids, arrays of int64 ids, float32 numbers or arrays of float32 numbers.

    Raises:
        DataError: a vector does not have the configured size.
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
