"""The option that ranks only the items of a given list."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import numpy as np

from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.contract.version import Description
from m2trec_merlin.serving.runtime.bounds import MOST_CANDIDATES, MOST_RAW_CANDIDATES
from m2trec_merlin.serving.runtime.notes import cut, name_some
from m2trec_merlin.serving.runtime.options.base import ID_SCHEMA, Draft, Option, is_id

#: A candidate in a request: an id, or raw attributes together with an id to name the item in the answer.
Candidate = str | dict[str, Any]


class Candidates(Option[list[Candidate] | None]):
    """`candidates`: the only items that may be recommended.

    The first step encodes the candidates that the catalogue does not have, and hands over the ids of all.
    """

    name = "candidates"
    expected = (
        f"a list of at most {MOST_CANDIDATES:,} item ids, up to {MOST_RAW_CANDIDATES:,} of them in objects "
        f"with an {ITEM_ID} and raw attributes"
    )
    default = None
    meaning = "the only items that may be recommended, to be ranked"

    def schema(self, version: Description) -> dict[str, Any]:
        """See `Option.schema`."""
        described = {"type": "object", "required": [ITEM_ID], "properties": {ITEM_ID: ID_SCHEMA}}
        each = {"anyOf": [ID_SCHEMA, described]}
        return {"type": ["array", "null"], "items": each, "maxItems": MOST_CANDIDATES}

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        return value is None or (
            isinstance(value, list)
            and len(value) <= MOST_CANDIDATES
            and sum(isinstance(each, dict) for each in value) <= MOST_RAW_CANDIDATES
        )

    def problems(self, value: object, version: Description) -> list[str]:
        """Return what is wrong with the list, or with its first invalid entry."""
        if found := super().problems(value, version):
            return found
        assert value is None or isinstance(value, list)
        wrong = ((place, each) for place, each in enumerate(value or []) if not _is_candidate(each))
        return [
            f"options.{self.name}[{place}]: expected an item id, or an object with an {ITEM_ID} and raw "
            f"attributes, found {cut(json.dumps(each))}"
            for place, each in islice(wrong, 1)
        ]

    def read(self, value: Any, version: Description) -> list[Candidate] | None:
        """Return ids as text."""
        if value is None:
            return None
        return [
            {**each, ITEM_ID: str(each[ITEM_ID])} if isinstance(each, dict) else str(each) for each in value
        ]

    def apply(self, value: list[Candidate] | None, draft: Draft) -> None:
        """Search only the candidates that the catalogue has and that can be recommended."""
        if value is None:
            return
        rows = np.unique(np.array(draft.rows_of(ids_of(value), self.name), np.int64))
        possible = rows[draft.biases[rows] > -np.inf]
        if len(others := np.setdiff1d(rows, possible)):
            ignored = "ignored, since only items that can be recommended are ranked"
            draft.notes.append(f"options.{self.name}: {name_some(draft.items.ids(others))} {ignored}")
        draft.only = possible
        if not len(possible):
            draft.notes.append(f"options.{self.name}: none of them can be recommended")


def _is_candidate(value: object) -> bool:
    # An answer could not name a described item whose id is empty.
    item_id = value.get(ITEM_ID) if isinstance(value, dict) else value
    return is_id(item_id) and (item_id != "" or not isinstance(value, dict))


def ids_of(candidates: list[Candidate]) -> list[str]:
    """Return the ids of candidates."""
    return [each[ITEM_ID] if isinstance(each, dict) else each for each in candidates]
