"""The parts of a mixture with a model: the views and their weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from m2trec_merlin.neighbours.item_lists import ItemLists
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.neighbours.views import MixedView, Weight
from m2trec_merlin.neighbours.word_likeness import WordLikeness

#: The views by name. A new view is a module of its own and a name in this line.
VIEWS: dict[str, type[MixedView]] = {
    view.weight.name: view for view in (SessionKnn, MetadataKnn, ItemLists, WordLikeness)
}

#: Weights of the terms that are added to an item's score for its past.
ITEM_WEIGHTS = (
    Weight("rare", 0.0, 1.0, "added to items without history; half of it at 5 occurrences", signed=True),
    Weight("new", 0.0, 1.0, "added to items without history; an eighth of it at 5 occurrences", signed=True),
    Weight("new_session", 0.0, 0.6, "likewise, the more the rarer the items of the session are"),
    Weight("listed", 2.0, 0.5, "added to items listed after training, in the place of these", signed=True),
    Weight("trend", 0.4, 0.4, "added the more an item sold of late than its share of all", signed=True),
)

#: All weights, by name.
WEIGHTS: dict[str, Weight] = {
    weight.name: weight
    for weight in (
        *(each for view in VIEWS.values() for each in (view.weight, view.rare_weight) if each is not None),
        *ITEM_WEIGHTS,
    )
}


class Weights(Mapping[str, float]):
    """The weights of a mixture; a view lifts an item's score by up to about three times the view's weight.

    Args:
        weights: values by name in `WEIGHTS`; all others are 0.

    Raises:
        ValueError: a name is not in `WEIGHTS`.
    """

    def __init__(self, **weights: float) -> None:
        if unknown := sorted(weights.keys() - WEIGHTS.keys()):
            raise ValueError(f"no weight is called {', '.join(unknown)}; known: {', '.join(WEIGHTS)}")
        self._of = {name: float(weights.get(name, 0.0)) for name in WEIGHTS}
        self._hash = hash(tuple(self._of.values()))

    def __getitem__(self, name: str) -> float:
        return self._of[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    def __len__(self) -> int:
        return len(self._of)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Weights({', '.join(f'{name}={value:g}' for name, value in self._of.items() if value)})"

    def but(self, **weights: float) -> Weights:
        """Return a copy with some weights replaced."""
        return Weights(**{**self._of, **weights})

    def without(self, view: str) -> Weights:
        """Return a copy without a view."""
        return self.but(**dict.fromkeys(_names(VIEWS[view]), 0.0))

    def views(self) -> tuple[str, ...]:
        """Return the names of the views that have a weight other than 0."""
        return tuple(name for name, view in VIEWS.items() if any(self[each] for each in _names(view)))


def _names(view: type[MixedView]) -> list[str]:
    return [each.name for each in (view.weight, view.rare_weight) if each is not None]
