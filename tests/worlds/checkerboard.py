"""Tiny worlds whose right answers are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import EncodedColumn, Field, Layout
from m2trec_merlin.sessions import Prefixes, Sessions

COLOURS = ("black", "white")


def make_catalogue(
    counts: Sequence[int],
    *,
    colours: Sequence[int] | None = None,
    titles: Sequence[str] | None = None,
    item_ids: Sequence[int] | None = None,
    directory: Path | None = None,
) -> Catalogue:
    """Build a catalogue; `counts`, `colours` (category ids), `titles` and `item_ids` start at row 1."""
    n_items = len(counts)
    attributes = {}
    if colours is not None:
        values = np.array([1, *colours], dtype=np.int64)
        attributes["colour"] = EncodedColumn(Field("colour", Layout.IDS, 5), values)
    if titles is not None:
        assert directory is not None
        directory.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"title": list(titles)}).to_parquet(directory / "display.parquet")
        tokens = np.full(n_items + 1, 3, dtype=np.int64)
        field = Field("title", Layout.ID_LISTS, 4)
        attributes["title"] = EncodedColumn(field, tokens, np.arange(n_items + 2))
    ids = np.array([-1, *(item_ids or range(1000, 1000 + n_items))], dtype=np.int64)
    return Catalogue(
        ids,
        np.array([0, *counts], dtype=np.int64),
        attributes,
        directory,
        titled=titles is not None,
        categories=() if colours is None else ("colour",),
    )


@dataclass(frozen=True)
class World:
    catalogue: Catalogue
    train: Sessions
    test: Sessions


def checkerboard(directory: Path, order: np.ndarray | None = None) -> World:
    """Twelve items, black and white in turn; a session holds items of one colour only.

    Args:
        directory: where the display table goes.
        order: new position of items 1 to 12, to build the same world in another row order.
    """
    items = np.arange(1, 13)
    order = items if order is None else order
    row_of = np.zeros(13, np.int64)
    row_of[order] = items
    generator = np.random.default_rng(3)
    sessions = []
    for number in range(60):
        mine = items[items % 2 == number % 2]
        sessions.append([int(item) for item in generator.permutation(mine)[: 3 + number % 3]])
    train, test = sessions[:40], sessions[40:]
    counts = np.bincount([item for session in train for item in session], minlength=13)

    def relabel(lists: list[list[int]]) -> Sessions:
        return Sessions.from_lists([[int(row_of[item]) for item in session] for session in lists])

    catalogue = make_catalogue(
        counts[order],
        colours=[3 + item % 2 for item in order],
        titles=[f"{COLOURS[item % 2]} square number {item}" for item in order],
        item_ids=[1000 + item for item in order],
        directory=directory,
    )
    return World(catalogue, relabel(train), relabel(test))


class FunctionScorer:
    """Scores by a function from the rows of a prefix to N + 1 scores."""

    candidates = "all catalogue items"

    def __init__(self, function: Callable[[list[int]], Sequence[float]], name: str = "function") -> None:
        self.name = name
        self.function = function

    def score(self, prefixes: Prefixes) -> np.ndarray:
        lines = [self.function(prefixes.items(i).tolist()) for i in range(len(prefixes))]
        scores = np.array(lines, dtype=np.float32)
        scores[:, 0] = -np.inf
        return scores


class ColourScorer:
    """Predicts that the colour of the last item comes again."""

    name = "same colour"

    def __init__(self, catalogue: Catalogue) -> None:
        self.colours = catalogue.attributes["colour"].values

    def category_scores(self, prefixes: Prefixes) -> dict[str, np.ndarray]:
        scores = np.zeros((len(prefixes), 5), np.float32)
        last = [prefixes.items(i)[-1] for i in range(len(prefixes))]
        scores[np.arange(len(prefixes)), self.colours[last]] = 1
        return {"colour": scores}
