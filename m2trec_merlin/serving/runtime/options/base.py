"""The base of a request option: a name, a check, a default, and its effect on the search.

Options are checked in the first step of the ensemble, before anything is encoded, and applied in the second.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeGuard, TypeVar

import numpy as np

from m2trec_merlin.contract.version import Description
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.search.candidates import Addition, Found, Wish
from m2trec_merlin.search.choosing import POOL, DiverseChoice
from m2trec_merlin.serving.runtime.catalogue.item_table import Items
from m2trec_merlin.serving.runtime.notes import cut, name_some

T = TypeVar("T")

#: Data that few options need: positions of the events in the request, and all item ids of the session.
Need = Literal["places", "held"]

_LARGEST = float(np.finfo(np.float32).max)


@dataclass
class Draft:
    """The search of one request, to which its options are applied one after the other.

    Attributes:
        items: ids, titles and filter columns of the catalogue.
        session_rows: int64 [L], rows of the session; negative for items outside of the catalogue.
        held: ids of all items of the session, if they are to be left out.
        new: int64, rows that count as new.
        notes: warnings of the answer.
        biases: float32 [R], biases of the candidates; -inf for other rows.
        new_are_named: whether the request names the new items.
        asked: number of recommendations that the request asks for.
        additions: additions to scores, by their source as explanations call it.
        forbidden: rows that must not be found.
        allowed: bool [R], rows that pass the filters; None for all rows.
        only: int64, the only rows that are searched; None for all rows.
        choice: selection of diverse rows among the best; None for the best themselves.
    """

    items: Items
    session_rows: np.ndarray
    held: Sequence[str]
    new: np.ndarray
    notes: list[str]
    biases: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    new_are_named: bool = False
    asked: int = 0
    additions: dict[str, Addition] = field(default_factory=dict)
    forbidden: list[int] = field(default_factory=list)
    allowed: np.ndarray | None = None
    only: np.ndarray | None = None
    choice: DiverseChoice | None = None

    @property
    def k(self) -> int:
        """The most rows that the answer may hold."""
        most = self.asked if self.only is None else min(self.asked, len(self.only))
        return most if self.choice is None else min(most, POOL)

    def rows_of(self, item_ids: list[str], option: str) -> list[int]:
        """Return the rows of the ids that the catalogue has, and add a warning about the others."""
        if unknown := [item_id for item_id in item_ids if self.items.rows.row(item_id) == NO_ITEM]:
            ignored = "ignored, since the catalogue has no such item"
            self.notes.append(f"options.{option}: {name_some(unknown)} {ignored}")
        return self.items.rows.known(item_ids)

    def wish(self) -> Wish:
        """Return the search as an index takes it."""
        k = self.k if self.choice is None else POOL
        # Without duplicates: a search looks at one more row for each entry.
        forbidden = np.unique(np.array(self.forbidden, np.int64))
        return Wish(k, forbidden, self.allowed, self.only, list(self.additions.values()))

    def without(self, source: str) -> list[Addition]:
        """Return all additions except that of a source."""
        return [addition for name, addition in self.additions.items() if name != source]

    def settle(self, found: Found) -> Found:
        """Return the rows of the answer, given the rows that the search found."""
        if self.choice is None:
            return found
        return self.choice.choose(found, self.items.values(self.choice.by, found.rows), self.k)


class Option(Generic[T]):
    """One option of requests; subclasses are stateless.

    Attributes:
        name: name in the JSON of a request.
        expected: description of a valid value, for error messages.
        default: value where neither the request nor the export gives one.
        meaning: description for people.
        needs_model: whether it only affects scores of the model, and so not a list of the most popular items.
        needs: data that the second step needs from the first where the option is set.
    """

    name: str
    expected: str
    default: T
    meaning: str = ""
    needs_model: bool = False
    needs: frozenset[Need] = frozenset()

    def schema(self, version: Description) -> dict[str, Any]:
        """Return the JSON Schema of a value, from which programs make form fields.

        The first of several alternatives is the one that most people want. An empty schema makes a field
        that takes JSON.
        """
        return {}

    def problems(self, value: object, version: Description) -> list[str]:
        """Return what is wrong with a value; an empty list if it can be applied."""
        if self.fits(value):
            return []
        return [f"options.{self.name}: expected {self.expected}, found {cut(json.dumps(value))}"]

    def fits(self, value: object) -> bool:
        """Tell whether a value parsed from JSON is of the right form."""
        raise NotImplementedError

    def read(self, value: Any, version: Description) -> T:
        """Convert a valid value to the form that `apply` takes, which JSON can hold, too."""
        read: T = value
        return read

    def apply(self, value: T, draft: Draft) -> None:
        """Change the search."""
        raise NotImplementedError


class Flag(Option[bool]):
    """An option that is either on or off."""

    expected = "true or false"
    default = False

    def schema(self, version: Description) -> dict[str, Any]:
        """See `Option.schema`."""
        return {"type": "boolean"}

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        return isinstance(value, bool)


#: JSON Schemas that several options are made of.
NUMBER = {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}
ID_SCHEMA = {"type": ["string", "integer"], "format": "item-id"}
SCALAR = {"type": ["string", "number", "boolean"]}


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a JSON value is a number within the range of float32, the type of scores."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


def is_list_of_ids(value: object) -> bool:
    """Tell whether a JSON value is a list of item ids."""
    return isinstance(value, list) and all(map(is_id, value))


def is_id(value: object) -> bool:
    """Tell whether a JSON value is the id of an item: a text or a whole number."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def as_ids(value: list[str | int]) -> list[str]:
    """Return ids as text, as in the catalogue."""
    return [str(item_id) for item_id in value]
