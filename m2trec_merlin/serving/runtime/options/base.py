"""What an option of a request is: a name, a check, a default, and what it does to the search.

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

#: What most requests can do without: where in the request the events stood, and ids of all that it holds.
Need = Literal["places", "held"]

_LARGEST = float(np.finfo(np.float32).max)


@dataclass
class Draft:
    """The search of one request while its options are applied, one after the other.

    Attributes:
        items: the catalogue as a person reads it.
        session_rows: int64 [L], rows of the session; negative for items outside of the catalogue.
        held: ids of all that the session holds, where it is to be left out.
        new: int64, rows that count as new.
        notes: warnings of the answer.
        biases: float32 [R], of the candidates; -inf for rows that are none.
        new_are_named: whether the request says which rows are new.
        k: rows wanted.
        additions: to scores, by what an explanation calls their source.
        forbidden: rows that must not be found.
        allowed: bool [R], what filters let pass; None for everything.
        only: int64, rows of a list, beside which nothing is looked at; None for everything.
        choice: of different rows among the best; None for the best themselves.
    """

    items: Items
    session_rows: np.ndarray
    held: Sequence[str]
    new: np.ndarray
    notes: list[str]
    biases: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    new_are_named: bool = False
    k: int = 0
    additions: dict[str, Addition] = field(default_factory=dict)
    forbidden: list[int] = field(default_factory=list)
    allowed: np.ndarray | None = None
    only: np.ndarray | None = None
    choice: DiverseChoice | None = None

    def rows_of(self, item_ids: list[str], option: str) -> list[int]:
        """Return the rows of those ids that the catalogue has; the others are noted."""
        if unknown := [item_id for item_id in item_ids if self.items.rows.row(item_id) == NO_ITEM]:
            ignored = "ignored, since the catalogue has no such item"
            self.notes.append(f"options.{option}: {name_some(unknown)} {ignored}")
        return self.items.rows.known(item_ids)

    def wish(self) -> Wish:
        """Return the search."""
        k = self.k if self.choice is None else POOL
        # Each once: a search looks the farther for every one of them.
        forbidden = np.unique(np.array(self.forbidden, np.int64))
        return Wish(k, forbidden, self.allowed, self.only, list(self.additions.values()))

    def without(self, source: str) -> list[Addition]:
        """Return the additions but that of a source, if it is there."""
        return [addition for name, addition in self.additions.items() if name != source]

    def settle(self, found: Found) -> Found:
        """Return the rows of the answer, of those that the search found."""
        if self.choice is None:
            return found
        return self.choice.choose(found, self.items.values(self.choice.by, found.rows), self.k)


class Option(Generic[T]):
    """One option; subclasses are stateless.

    Attributes:
        name: in the JSON of a request.
        expected: what a value has to be, in words.
        default: where the request says nothing and the exported version has no default of its own.
        meaning: what a person is told of it.
        needs_model: whether it changes what the model says, and nothing where that says nothing.
        needs: what the first step hands over to the second for it, where it is asked for.
    """

    name: str
    expected: str
    default: T
    meaning: str = ""
    needs_model: bool = False
    needs: frozenset[Need] = frozenset()

    def schema(self, version: Description) -> dict[str, Any]:
        """Return the JSON Schema of a value, by which programs make fields for a person to fill in.

        Of several alternatives the first is what most people want. Without any, a field takes JSON.
        """
        return {}

    def problems(self, value: object, version: Description) -> list[str]:
        """Return what is wrong with a value; nothing if it can be applied."""
        if self.fits(value):
            return []
        return [f"options.{self.name}: expected {self.expected}, found {cut(json.dumps(value))}"]

    def fits(self, value: object) -> bool:
        """Tell whether a value, as JSON gives it, is of the right form."""
        raise NotImplementedError

    def read(self, value: Any, version: Description) -> T:
        """Return a valid value as `apply` takes it and JSON can hold it."""
        read: T = value
        return read

    def apply(self, value: T, draft: Draft) -> None:
        """Change the search."""
        raise NotImplementedError


class Flag(Option[bool]):
    """An option that is asked for or not."""

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
    """Tell whether a JSON value is a number that scores, in float32, can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


def is_list_of_ids(value: object) -> bool:
    """Tell whether a JSON value is a list of item ids."""
    return isinstance(value, list) and all(map(is_id, value))


def is_id(value: object) -> bool:
    """Tell whether a JSON value is the id of an item: a text or a whole number."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def as_ids(value: list[str | int]) -> list[str]:
    """Return ids as the catalogue has them."""
    return [str(item_id) for item_id in value]
