"""Find columns of the interactions with several events in a row: lists of items, such as baskets."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa

from m2trec_merlin.columns import is_list, to_arrow
from m2trec_merlin.readers.canonical import KnownItems, normalise_ids
from m2trec_merlin.readers.files.raw_types import to_pandas
from m2trec_merlin.starting.item_ids import MET
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.times import times_of

#: The most rows examined, and the mean number of ids per row from which on rows hold several.
_LOOKED_AT = 2000
_SEVERAL = 1.5
#: Share of the ids that values could be which they are at least, if they are ids.
_VARIED = 0.1
#: Characters before, between and after the values of a list that is written as text.
_MARKS = r"[\s,;|\[\](){}'\":]+"
_WHAT_TO_DO = "write a row for each, with the session beside it"


def rows_of_several(events: Look, items: Look, described: str | None = None) -> dict[str, str]:
    """Return a problem for each column that holds several items in a row, or structures of items, by name.

    Args:
        events: the interactions.
        items: the items.
        described: column of ids in the items; None if unknown.
    """
    names = [described] if described else [c.name for c in items.columns.values() if _may_be_ids(c)]
    known, found = [KnownItems(items.ids(name)) for name in names], {}
    for column in events.columns.values():
        values = _parts(column)
        if len(values) and any(_per_row(values, index) >= _SEVERAL for index in known):
            what = f"holds several items in a row, {column.examples(1)}: {_WHAT_TO_DO}"
            found[column.name] = f"'{column.name}' {what}"
    # Beside ids of items, structures may well describe the event.
    for name, why in events.unreadable.items() if described is None else ():
        held = events.file.held(name) if "struct" in why else None
        if held is not None and (field := _field_of_ids(held, known)):
            to_do = _WHAT_TO_DO if is_list(held.type) else "make that a column"
            found[name] = f"'{name}' holds items in its field '{field}': {to_do}"
    return found


def _may_be_ids(column: Column) -> bool:
    return not column.is_list and column.distinct > 0.5 * len(column.values) and column.words < 2


def _parts(column: Column) -> pd.Series:
    """Return the parts of a column's values, indexed by row; empty if the values are single."""
    if column.is_list:
        lists = to_arrow(column.values.dropna().iloc[:_LOOKED_AT])
        flat = lists.flatten().to_pandas()
        return pd.Series(flat.to_numpy(), lists.value_parent_indices().to_numpy())
    if column.is_time or column.numbers is not None or times_of(column) is not None:
        return pd.Series(dtype=object)
    return column.texts.iloc[:_LOOKED_AT].reset_index(drop=True).str.split(_MARKS, regex=True).explode()


def _field_of_ids(held: pa.Array, known: list[KnownItems]) -> str | None:
    """Return the first field of structures of which most different values are ids, or None."""
    for field, values in _fields("", held[:_LOOKED_AT]):
        every = normalise_ids(values.dropna())
        ids = every.drop_duplicates()
        for index in known:
            met, possible = int((index.positions(ids) >= 0).sum()), min(len(every), len(index))
            # Counts and other small numbers are ids by chance, but few different ones.
            if met > max(MET * len(ids), _VARIED * possible):
                return field
    return None


def _fields(name: str, held: pa.Array) -> Iterator[tuple[str, pd.Series]]:
    """Yield the name and the values of each field that holds no further ones, however deep it lies."""
    if pa.types.is_struct(held.type):
        for field, values in zip(held.type, held.flatten(), strict=True):
            yield from _fields(field.name, values)
    elif is_list(held.type):
        yield from _fields(name, held.flatten())
    elif not pa.types.is_nested(held.type):
        yield name, to_pandas(held)


def _per_row(values: pd.Series, index: KnownItems) -> float:
    """Return the mean number of known items per row."""
    return float((index.positions(normalise_ids(values)) >= 0).sum() / values.index.nunique())
