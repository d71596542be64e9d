"""Catalogue rows of text ids, without data frames: for programs that start fast and look up single ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from m2trec_merlin.encoded import NO_ITEM


class RowsOfIds:
    """Finds the catalogue rows of ids; two ids are equal if their texts are, as in `ids.IdIndex`.

    Args:
        ids: ids of all items as text, in row order from row 1.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._row_of = {item_id: row for row, item_id in enumerate(ids, start=NO_ITEM + 1)}

    def row(self, item_id: str) -> int:
        """Return the row of an id; NO_ITEM if the catalogue has no such item."""
        return self._row_of.get(item_id, NO_ITEM)

    def __contains__(self, item_id: object) -> bool:
        return isinstance(item_id, str) and self.row(item_id) != NO_ITEM

    def known(self, item_ids: Iterable[str]) -> list[int]:
        """Return the rows of the ids that the catalogue has."""
        return [row for item_id in item_ids if (row := self.row(item_id)) != NO_ITEM]

    def changed(self, gone: Collection[str], first: int, ids: Iterable[str]) -> RowsOfIds:
        """Return the rows after a change of the catalogue; the large table is shared, not copied.

        Args:
            gone: ids that are no longer in the catalogue.
            first: row of the first of `ids`.
            ids: the ids that are new or have new rows, in row order.
        """
        return _ChangedRows(self, gone, first, ids)


class _ChangedRows(RowsOfIds):
    def __init__(self, before: RowsOfIds, gone: Collection[str], first: int, ids: Iterable[str]) -> None:
        self._before = before
        self._row_of = dict.fromkeys(gone, NO_ITEM)
        self._row_of.update((item_id, row) for row, item_id in enumerate(ids, start=first))

    def row(self, item_id: str) -> int:
        row = self._row_of.get(item_id)
        return self._before.row(item_id) if row is None else row
