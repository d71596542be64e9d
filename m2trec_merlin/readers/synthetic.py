"""Synthetic sessions in which metadata predicts the next item: for tests, and for scaling to any size.

Each session walks through categories. The next event stays in the category of the last one with probability
`stay`, and otherwise moves to the following category; within a category, items are drawn by a Zipf law. So
the best guess for the next category is the current one, right with probability `stay`. No id is needed for
it: title, category, tags and picture all reveal the category of an item.

With the options of `configs/scale.yaml`, items resemble the paper's Home Depot data: categories on several
levels, brands with a manufacturer each, colours, long titles, and popularity that follows a Zipf law over
categories as well as within them. Sessions are drawn in blocks with separate random streams, so memory does
not depend on their number.

Merlin's own generator (`merlin.datasets.synthetic.generate_data`) is not suitable: it draws every event
independently, so there is nothing to learn about the next item; it uses NumPy's global random state, so two
runs differ; it returns encoded features instead of raw tables with text, so it cannot exercise the items
workflow; and it makes the whole data set at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from m2trec_merlin.arrays import places_in_lists
from m2trec_merlin.column_names import ITEM_ID, POSITION, SESSION_ID, TIMESTAMP
from m2trec_merlin.readers.grouping import cut_sessions
from m2trec_merlin.readers.settings import DataSettings
from m2trec_merlin.readers.source import Origin
from m2trec_merlin.readers.times import ISO_8601
from m2trec_merlin.sections import Section

#: The size of a table of words; tables are made in memory as a whole.
_Size = Annotated[int, Field(ge=0, le=10_000_000)]

#: Sessions drawn from one random stream. Chunks are cut from these blocks, so their size changes no session.
_BLOCK = 50_000
_START = np.datetime64("2024-01-01", "us")
_SECONDS_BETWEEN_SESSIONS, _SECONDS_BETWEEN_EVENTS = 60, 5

_ADJECTIVES = ("small", "large", "light", "heavy", "fresh", "classic", "modern", "plain")
_SYLLABLES = ("ba", "co", "di", "fu", "ga", "he", "jo", "ki", "lu", "mo", "na", "pe", "ri", "su", "ta", "vo")


class SyntheticOptions(Section):
    """Options of this reader (`data.options`)."""

    n_sessions: int = Field(2_000, ge=1, le=10_000_000_000)
    n_items: int = Field(500, ge=2, le=100_000_000)
    n_categories: int = Field(10, ge=2, le=10_000_000)
    n_brands: int = Field(20, ge=1, le=10_000_000)
    n_attributes: int = Field(
        0,
        ge=0,
        le=1000,
        description="further categorical attributes, extra_0, extra_1, ...: noise, for scaling",
    )
    category_levels: list[Annotated[int, Field(ge=1, le=10_000_000)]] = Field(
        [], max_length=8, description="sizes of coarser levels above `category`, from the top: level_1, ..."
    )
    n_manufacturers: _Size = Field(0, description="each brand has one; 0: no such column")
    n_colors: _Size = Field(0, description="0: no such column")
    title_words: int = Field(0, ge=0, le=1000, description="further words in a title, of no meaning")
    title_vocabulary: int = Field(
        1_000, ge=1, le=10_000_000, description="how many such words there are; by a Zipf law"
    )
    tags: bool = Field(True, description="whether items have the column tags")
    picture_size: int = Field(
        8, ge=0, le=65_536, description="length of the vectors in picture; 0: no such column"
    )
    mean_length: float = Field(
        6.0, ge=2, le=1000, description="events per session on average; the shortest have 2"
    )
    stay: float = Field(0.9, ge=0, le=1, description="probability that the next item is of the same category")
    zipf: float = Field(
        1.0, ge=0, le=10, description="exponent of popularity within a category; 0 is uniform"
    )
    category_zipf: float = Field(
        0.0, ge=0, le=10, description="the same, for the categories that sessions begin in"
    )


class SyntheticData(DataSettings):
    """Generated sessions and items."""

    source: Literal["synthetic"]
    options: SyntheticOptions = SyntheticOptions()

    def open(self, seed: int, more: Mapping[str, str] | None = None) -> Synthetic:
        """Create the generator."""
        return Synthetic(self, seed, more or {})


class Synthetic:
    """A generator of sessions and items; implements `Source`. Equal seeds give equal data for any chunk size.

    Items have title (text), category, brand (categorical), tags (a list of two values), price (a number) and
    picture (a vector); optionally coarser categories `level_1` (the coarsest), `level_2` and so on,
    manufacturer, color, and any number of `extra_` attributes.
    """

    name = "synthetic data"
    time_format = ISO_8601
    items_origin = Origin("synthetic items", {})

    def __init__(self, config: SyntheticData, seed: int, more: Mapping[str, str]) -> None:
        own = {TIMESTAMP: TIMESTAMP, POSITION: POSITION}
        # There are no further columns that could be attributes of events.
        self.interactions_origin = Origin(
            "synthetic interactions", {**own, **more}, available=lambda: list(own)
        )
        self._options = config.options
        self._seed = seed
        self._chunk_sessions = config.chunk_sessions
        self._categories = min(self._options.n_categories, self._options.n_items)
        # Item number = rank within the category * categories + category; ids are shuffled to hide it.
        self._ids = np.random.default_rng([seed, 0]).permutation(self._options.n_items).astype(np.int64) + 1
        self._rank_shares = _zipf(-(-self._options.n_items // self._categories), self._options.zipf)
        self._category_shares = _zipf(self._categories, self._options.category_zipf)
        # Popular categories are spread over the levels above them.
        self._by_popularity = np.random.default_rng([seed, 4]).permutation(self._categories)
        self.notices: list[str] = []

    def items(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return all items, in the order of their ids."""
        options = self._options
        random = np.random.default_rng([self._seed, 1])
        category = np.arange(options.n_items) % self._categories
        brand = random.integers(options.n_brands, size=options.n_items)
        nouns, makers = _words(self._categories, salt=1), _words(options.n_brands, salt=2)
        noun, adjective = (
            nouns[category],
            np.array(_ADJECTIVES, object)[random.integers(len(_ADJECTIVES), size=options.n_items)],
        )
        centres = random.normal(size=(self._categories, options.picture_size)).astype(np.float32)
        noise = random.normal(scale=0.3, size=(options.n_items, options.picture_size)).astype(np.float32)
        table: dict[str, Any] = {
            ITEM_ID: self._ids,
            "title": self._titles([adjective, makers[brand], noun]),
            "category": noun,
            "brand": makers[brand],
        }
        if options.tags:
            table["tags"] = list(np.stack([noun, adjective], axis=1))
        table["price"] = np.round(np.exp(random.normal(1.0 + category / self._categories, 0.5)), 2)
        if options.picture_size:
            table["picture"] = list(centres[category] + noise)
        for number in range(options.n_attributes):
            table[f"extra_{number}"] = random.integers(100, size=options.n_items).astype(str).astype(object)
        items = pd.DataFrame({**table, **self._further_columns(category, brand)})
        return items.sort_values(ITEM_ID, ignore_index=True)

    def _titles(self, words: list[np.ndarray]) -> pd.Series:
        options = self._options
        random = np.random.default_rng([self._seed, 3])
        further, shares = (
            _words(options.title_vocabulary, salt=3),
            _zipf(options.title_vocabulary, 1.0),
        )
        for _ in range(options.title_words):
            words = [*words, further[np.searchsorted(shares, random.random(options.n_items))]]
        # Arrow joins all columns at once; adding strings column by column copies all titles each time.
        return pc.binary_join_element_wise(*map(pa.array, words), " ").to_pandas()

    def _further_columns(self, category: np.ndarray, brand: np.ndarray) -> dict[str, np.ndarray]:
        options = self._options
        table: dict[str, np.ndarray] = {}
        below, size_below = category, self._categories
        # Levels are made from the leaves to the top, so that each category has one parent on every level.
        for level in range(len(options.category_levels), 0, -1):
            size = min(options.category_levels[level - 1], size_below)
            below, size_below = below * size // size_below, size
            table[f"level_{level}"] = _words(size, salt=3 + level)[below]
        table = dict(sorted(table.items()))
        if options.n_manufacturers:
            table["manufacturer"] = _words(options.n_manufacturers, salt=12)[brand % options.n_manufacturers]
        if options.n_colors:
            random = np.random.default_rng([self._seed, 5])
            drawn = np.searchsorted(_zipf(options.n_colors, 1.0), random.random(options.n_items))
            table["color"] = _words(options.n_colors, salt=13)[drawn]
        return table

    def interactions(self) -> Iterator[pd.DataFrame]:
        """Yield generated sessions in order of time, with ids 0, 1, 2, ..."""
        for first in range(0, self._options.n_sessions, _BLOCK):
            block = self._generate(first, min(_BLOCK, self._options.n_sessions - first))
            yield from cut_sessions(block, self._chunk_sessions)

    def state(self) -> dict[str, Any]:
        """Return nothing: options and seed determine the data, and are inputs of the step already."""
        return {}

    def _generate(self, first: int, count: int) -> pd.DataFrame:
        random = np.random.default_rng([self._seed, 2, first])
        lengths = 2 + random.poisson(self._options.mean_length - 2, size=count)
        session = np.repeat(np.arange(count), lengths)
        position = places_in_lists(lengths)
        moves = (random.random(len(session)) >= self._options.stay) & (position > 0)
        moved = np.cumsum(moves)
        since_start = moved - moved[np.cumsum(lengths) - lengths][session]
        category = (self._first_categories(random, count)[session] + since_start) % self._categories
        rank = np.searchsorted(self._rank_shares, random.random(len(session)))
        in_category = -(-(self._options.n_items - category) // self._categories)
        item = np.minimum(rank, in_category - 1) * self._categories + category
        seconds = (first + session) * _SECONDS_BETWEEN_SESSIONS + position * _SECONDS_BETWEEN_EVENTS
        frame = pd.DataFrame(
            {
                SESSION_ID: (first + session).astype(np.int64),
                ITEM_ID: self._ids[item],
                POSITION: position.astype(np.int64),
                TIMESTAMP: _START + seconds.astype("timedelta64[s]"),
            }
        )
        frame.index = pd.RangeIndex(len(frame))
        return frame

    def _first_categories(self, random: np.random.Generator, count: int) -> np.ndarray:
        if not self._options.category_zipf:
            return random.integers(self._categories, size=count)
        return self._by_popularity[np.searchsorted(self._category_shares, random.random(count))]


def _zipf(count: int, exponent: float) -> np.ndarray:
    """Return the cumulated shares of `count` values whose popularity follows a Zipf law."""
    weights = 1.0 / np.arange(1, count + 1) ** exponent
    shares: np.ndarray = np.cumsum(weights) / weights.sum()
    # Rounding must not leave a gap above the last value.
    shares[-1] = 1.0
    return shares


def _words(count: int, salt: int) -> np.ndarray:
    return np.array([_word(number, salt) for number in range(count)], object)


def _word(number: int, salt: int) -> str:
    """Return a unique pronounceable word for a number; words of different salts differ."""
    syllables = [_SYLLABLES[salt]]
    while True:
        number, digit = divmod(number, len(_SYLLABLES))
        syllables.append(_SYLLABLES[digit])
        if number == 0:
            return "".join(syllables)
