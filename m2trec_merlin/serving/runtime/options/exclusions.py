"""Options for items that must not be recommended."""

from __future__ import annotations

from typing import Any

from m2trec_merlin.contract.version import Description
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.serving.runtime.options.base import ID_SCHEMA, Draft, Flag, Option, as_ids, is_list_of_ids


class Exclude(Option[list[str]]):
    """`exclude`: ids that must not be recommended."""

    name = "exclude"
    expected = "a list of item ids"
    default: list[str] = []
    meaning = "items that must not be recommended"

    def schema(self, version: Description) -> dict[str, Any]:
        """See `Option.schema`."""
        return {"type": "array", "items": ID_SCHEMA}

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        return is_list_of_ids(value)

    def read(self, value: Any, version: Description) -> list[str]:
        """Return ids as text."""
        return as_ids(value)

    def apply(self, value: list[str], draft: Draft) -> None:
        """Forbid the rows of these ids."""
        draft.forbidden += draft.rows_of(value, self.name)


class ExcludeSessionItems(Flag):
    """`exclude_session_items`: whether to leave out items of the session."""

    name = "exclude_session_items"
    meaning = "leave out what the session holds"
    needs = frozenset({"held"})

    def apply(self, value: bool, draft: Draft) -> None:
        """Forbid all items of the session, however long ago, and described candidates with the same id."""
        if value:
            draft.forbidden += [int(row) for row in draft.session_rows if row > NO_ITEM]
            draft.forbidden += draft.items.rows.known(draft.held)
