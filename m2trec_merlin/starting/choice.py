"""The choice of a kind of attribute for a column of the items table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.names import speaks_of

#: Share of distinct values above which a column does not sort the items into groups.
_VARIED = 0.05


@dataclass(frozen=True)
class ChosenKind:
    """The kind of attribute chosen for a column, or the decision to leave it out.

    Attributes:
        column: the column of the items table.
        kind: the kind of attribute; None if the column is left out.
        reason: the reason for the choice.
        settings: settings of the attribute, besides its name.
        unsure: what a person should check; empty if nothing.
        values: number of distinct values in lists; None if the column holds no lists.
    """

    column: Column
    kind: str | None
    reason: str
    settings: dict[str, Any] = field(default_factory=dict)
    unsure: str = ""
    values: int | None = None

    @property
    def n_values(self) -> int:
        """The number of distinct values."""
        return self.column.distinct if self.values is None else self.values

    @property
    def is_title(self) -> bool:
        """Whether the column is text and named like a title."""
        return self.kind == "text" and speaks_of(self.column.name, "title")

    @property
    def names_items(self) -> bool:
        """Whether people know an item by this column: varied texts, named like a title."""
        column = self.column
        titled = is_titled(column) and not speaks_of(column.name, "code")
        return titled and not column.is_list and column.numbers is None and is_varied(column)

    @property
    def is_category(self) -> bool:
        """Whether the column is categorical or multi_categorical, and named like a category."""
        named = speaks_of(self.column.name, "category")
        return self.kind in ("categorical", "multi_categorical") and named


def is_titled(column: Column) -> bool:
    """Tell whether a column is named like a title, and not like a category or an amount."""
    return speaks_of(column.name, "title") and not speaks_of(column.name, "category", "quantity")


def names_something(column: Column) -> bool:
    """Tell from the name of a column whether its numbers name something, such as codes or persons."""
    return speaks_of(column.name, "code", "category", "user")


def is_varied(column: Column) -> bool:
    """Tell whether a column has too many distinct values to sort the items into groups."""
    return column.distinct > _VARIED * len(column.texts)
