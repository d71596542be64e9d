"""What becomes of a column of the items table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.names import speaks_of

#: Share of values that are different above which a column does not sort the items into groups.
_VARIED = 0.05


@dataclass(frozen=True)
class ChosenKind:
    """What becomes of a column.

    Attributes:
        column: of the items table.
        kind: of attribute; None: left out.
        reason: why so.
        settings: of the attribute, besides its name.
        unsure: what a person should look at; empty if nothing.
        values: how many different ones lists are made of; None where a column holds no lists.
    """

    column: Column
    kind: str | None
    reason: str
    settings: dict[str, Any] = field(default_factory=dict)
    unsure: str = ""
    values: int | None = None

    @property
    def n_values(self) -> int:
        """How many different values items have."""
        return self.column.distinct if self.values is None else self.values

    @property
    def is_title(self) -> bool:
        """Whether it is text under a name that titles have."""
        return self.kind == "text" and speaks_of(self.column.name, "title")

    @property
    def names_items(self) -> bool:
        """Whether people know an item by it: varied texts under a name that titles have."""
        column = self.column
        titled = is_titled(column) and not speaks_of(column.name, "code")
        return titled and not column.is_list and column.numbers is None and is_varied(column)

    @property
    def is_category(self) -> bool:
        """Whether it has one value, or several, under a name that categories have."""
        named = speaks_of(self.column.name, "category")
        return self.kind in ("categorical", "multi_categorical") and named


def is_titled(column: Column) -> bool:
    """Tell whether a column has a name that titles have, and not one of a category or an amount."""
    return speaks_of(column.name, "title") and not speaks_of(column.name, "category", "quantity")


def names_something(column: Column) -> bool:
    """Tell whether numbers are codes or persons, by the name of their column."""
    return speaks_of(column.name, "code", "category", "user")


def is_varied(column: Column) -> bool:
    """Tell whether values do not sort the items into groups."""
    return column.distinct > _VARIED * len(column.texts)
