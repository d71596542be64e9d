"""Diginetica: item views of the CIKM Cup 2016, from its official files.

    train-item-views.csv     sessionId;userId;itemId;timeframe;eventdate
    products.csv             itemId;pricelog2;product.name.tokens
    product-categories.csv   itemId;categoryId

`timeframe` (milliseconds into the session) orders a session's events, `eventdate` (a day) places the session
in time. Words of product names are published as numbers: "4875,776" becomes the title "4875 776".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

import pandas as pd
from pydantic import Field

from m2trec_merlin.column_names import ITEM_ID, POSITION, SESSION_ID, TIMESTAMP
from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.canonical import digits_to_integers, normalise_ids
from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.readers.files.table_file import TableFile
from m2trec_merlin.readers.grouping import GroupedSessions
from m2trec_merlin.readers.problems import ProblemLog, describe_missing_column
from m2trec_merlin.readers.settings import DataSettings
from m2trec_merlin.readers.source import Origin
from m2trec_merlin.readers.times import ISO_8601
from m2trec_merlin.sections import Count, Section, SettingPath

VIEWS, PRODUCTS, CATEGORIES = "train-item-views.csv", "products.csv", "product-categories.csv"
_VIEW_COLUMNS = {
    SESSION_ID: "sessionId",
    ITEM_ID: "itemId",
    POSITION: "timeframe",
    TIMESTAMP: "eventdate",
}
_PRODUCT_COLUMNS = {ITEM_ID: "itemId", "price": "pricelog2", "title": "product.name.tokens"}
_CATEGORY_COLUMNS = {ITEM_ID: "itemId", "category": "categoryId"}


class DigineticaOptions(Section):
    """Options of this reader (`data.options`)."""

    min_item_count: Count = Field(
        1,
        description="keep items seen so often in sessions of two views or more; 5 is the filter of SR-GNN",
    )


class DigineticaData(DataSettings):
    """Item views of Diginetica, from the official files of the CIKM Cup 2016."""

    source: Literal["diginetica"]
    folder: SettingPath = Field(description="where the official files are")
    options: DigineticaOptions = DigineticaOptions()

    paths: ClassVar[tuple[str, ...]] = ("folder",)

    def open(self, seed: int, more: Mapping[str, str] | None = None) -> Diginetica:
        """Return the reader."""
        return Diginetica(self, more or {})


class Diginetica:
    """Sessions of item views and the products viewed; implements `Source`.

    Items have title (numbered words), price (log2, as published) and category.
    """

    time_format = ISO_8601

    def __init__(self, config: DigineticaData, more: Mapping[str, str]) -> None:
        folder = config.folder
        self._options = config.options
        self._views, self._products, self._categories = (
            TableFile(folder / name, Dialect(";", options=None)) for name in (VIEWS, PRODUCTS, CATEGORIES)
        )
        self._sessions = GroupedSessions(self._read_views, config.chunk_sessions)
        self.name = f"Diginetica in {folder}"
        self.items_origin = Origin(str(self._products.path), _PRODUCT_COLUMNS, self._products.locate)
        self.interactions_origin = Origin(
            str(self._views.path), {**_VIEW_COLUMNS, **more}, self._views.locate, self._views.columns
        )
        self.notices: list[str] = []

    def items(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the products with their categories; with `min_item_count`, only those seen often enough.

        Raises:
            DataError: a file or a column is missing, a product has two categories, or none is left.
        """
        problems: list[str] = []
        products = _read(self._products, _PRODUCT_COLUMNS, problems)
        categories = _read(self._categories, _CATEGORY_COLUMNS, problems)
        if categories is not None:
            log = ProblemLog(Origin(str(self._categories.path), _CATEGORY_COLUMNS))
            ids = categories[ITEM_ID]
            log.add_rows(ITEM_ID, "repeats the id of an earlier row", ids, ids.duplicated())
            problems += log.messages()
        if problems or products is None or categories is None:
            raise DataError(self.name, problems)
        products["title"] = products["title"].str.replace(",", " ")
        products["category"] = products[ITEM_ID].map(categories.set_index(ITEM_ID)["category"])
        if self._filters:
            products = products[products[ITEM_ID].isin(self._frequent)]
            if products.empty:
                raise DataError(self.name, [f"{self._products.path}: no item is left: {self._filter}"])
        products[ITEM_ID] = digits_to_integers(normalise_ids(products[ITEM_ID]))
        return products

    def interactions(self) -> Iterator[pd.DataFrame]:
        """Yield whole sessions, without items that are filtered out by `min_item_count`."""
        if _VIEW_COLUMNS[SESSION_ID] not in self._views.columns():
            yield from self._read_views()
            return
        left_out = 0
        for chunk in self._sessions:
            if self._filters:
                # Missing ids stay, so that the validation reports them.
                kept = chunk[chunk[ITEM_ID].isin(self._frequent) | chunk[ITEM_ID].isna()]
                left_out += len(chunk) - len(kept)
                chunk = kept
            if len(chunk):
                yield chunk
        self.notices = [f"{left_out:,} views left out: {self._filter}"] if left_out else []

    def state(self) -> dict[str, Any]:
        """Return name, size and modification time of the three files."""
        return {"files": self._views.state() + self._products.state() + self._categories.state()}

    def _read_views(self) -> Iterator[pd.DataFrame]:
        available = self._views.columns()
        names = {name: own for name, own in self.interactions_origin.columns.items() if own in available}
        for block in self._views.blocks(list(dict.fromkeys(names.values()))):
            yield pd.DataFrame({name: block[own] for name, own in names.items()})

    @property
    def _filter(self) -> str:
        return f"items seen fewer than {self._options.min_item_count} times (data.options.min_item_count)"

    @cached_property
    def _filters(self) -> bool:
        if self._options.min_item_count == 1:
            return False
        try:
            return {"sessionId", "itemId"} <= set(self._views.columns())
        except DataError:
            return False  # reported when the interactions are read

    @cached_property
    def _frequent(self) -> pd.Index:
        counts = pd.Series(dtype="int64")
        for chunk in self._sessions:
            length = chunk.groupby(SESSION_ID)[SESSION_ID].transform("size")
            counts = counts.add(chunk[ITEM_ID][length > 1].value_counts(), fill_value=0)
        return counts.index[counts >= self._options.min_item_count]


def _read(table: TableFile, columns: dict[str, str], problems: list[str]) -> pd.DataFrame | None:
    try:
        available = table.columns()
        missing = [name for name in columns.values() if name not in available]
        problems += [f"{table.path}: {describe_missing_column(name, available)}" for name in missing]
        if missing:
            return None
        return table.read(list(columns.values())).rename(columns={v: k for k, v in columns.items()})
    except DataError as error:
        problems += error.problems
        return None
