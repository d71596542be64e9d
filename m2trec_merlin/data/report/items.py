"""Statistics of the items, for a model that knows items only by their attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from m2trec_merlin.arrays import number_by_first_mention, refine
from m2trec_merlin.attributes import Attribute
from m2trec_merlin.attributes.profiles import Profile
from m2trec_merlin.column_names import ITEM_ID

_GROUPS_SHOWN, _ITEMS_SHOWN = 8, 3


@dataclass(frozen=True)
class AttributeStatistics:
    """Statistics of an attribute over all items.

    Attributes:
        name: name of the attribute.
        kind: kind of the attribute.
        layout: layout of encoded values: ids, lists of ids, numbers or vectors.
        column: column of the items table.
        missing: number of items without a value.
        missing_events: number of training events of these items.
        distinct: number of distinct values; for lists, of distinct lists.
        profile: summary of the values.
    """

    name: str
    kind: str
    layout: str
    column: str
    missing: int
    missing_events: int
    distinct: int
    profile: Profile


@dataclass(frozen=True)
class EqualGroup:
    """A group of items that are equal in all attributes.

    Attributes:
        items: number of items.
        training_events: number of training events of all of them.
        item_ids: ids of the first few items.
        titles: titles of these few.
        values: shared values by attribute, without vectors.
    """

    items: int
    training_events: int
    item_ids: list[str]
    titles: list[str]
    values: dict[str, str]


@dataclass(frozen=True)
class EqualItems:
    """Statistics of items that share all their metadata with another item.

    Attributes:
        items: number of such items.
        groups: number of groups of equal items.
        without_metadata: number of items without any value, which are also equal.
        without_metadata_events: number of training events of these.
        largest: the largest groups.
    """

    items: int
    groups: int
    without_metadata: int
    without_metadata_events: int
    largest: list[EqualGroup]


def describe_items(
    items: pd.DataFrame, attributes: Sequence[Attribute], title_column: str, training_events: np.ndarray
) -> tuple[list[AttributeStatistics], EqualItems]:
    """Return statistics of each attribute, and of items that no attribute distinguishes.

    Args:
        items: the canonical table.
        attributes: the attributes in the order of the configuration.
        title_column: the column of titles.
        training_events: number of training events of each item, int64 [items].
    """
    described = []
    # Each attribute refines the groups; items with the same group are equal in all attributes so far.
    group, any_known = np.zeros(len(items), dtype=np.int64), np.zeros(len(items), dtype=bool)
    for attribute in attributes:
        values = attribute.comparable(items[attribute.source_column])
        known = values.is_valid().to_numpy(zero_copy_only=False)
        encoded = values.dictionary_encode()
        codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy().astype(np.int64)
        counts = np.bincount(codes, minlength=len(encoded.dictionary) + 1)[:-1]
        described.append(
            AttributeStatistics(
                attribute.name,
                attribute.kind,
                attribute.layout.value,
                attribute.source_column,
                missing=int((~known).sum()),
                missing_events=int(training_events[~known].sum()),
                distinct=len(counts),
                profile=attribute.profile(encoded.dictionary, counts),
            )
        )
        any_known |= known
        group = refine(group, codes)
    # Of groups of one size, those whose first item is earlier are shown.
    group = number_by_first_mention(group)
    sizes = np.bincount(group)
    largest = [
        _describe_group(np.flatnonzero(group == g), items, attributes, title_column, training_events)
        for g in np.argsort(-sizes, kind="stable")[:_GROUPS_SHOWN]
        if sizes[g] > 1
    ]
    shared = sizes[sizes > 1]
    equal = EqualItems(
        items=int(shared.sum()),
        groups=len(shared),
        without_metadata=int((~any_known).sum()),
        without_metadata_events=int(training_events[~any_known].sum()),
        largest=largest,
    )
    return described, equal


def _describe_group(
    rows: np.ndarray,
    items: pd.DataFrame,
    attributes: Sequence[Attribute],
    title_column: str,
    training_events: np.ndarray,
) -> EqualGroup:
    few = items.iloc[rows[:_ITEMS_SHOWN]]
    titles = few[title_column].astype(object)
    values = {a.name: a.spell(a.comparable(few[a.source_column])[0].as_py()) for a in attributes}
    return EqualGroup(
        items=len(rows),
        training_events=int(training_events[rows].sum()),
        item_ids=[str(i) for i in few[ITEM_ID]],
        titles=list(
            dict.fromkeys("" if gap else str(title) for title, gap in zip(titles, titles.isna(), strict=True))
        ),
        values={name: text for name, text in values.items() if text},
    )
