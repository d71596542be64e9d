"""Measure how far apart the events of two samples are, and how much of it chance explains.

Distributions are counted over events, so an item that is bought often counts often. Their distance is the
Jensen-Shannon distance to base 2: 0 if they are equal, 1 if they have nothing in common. Even a sample of the
same source lies at a distance, which grows with the number of values. So samples as large as the new one are
drawn from the training sessions, and the 95th percentile of their distances counts as chance.

Shape legend: n items, K bins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from scipy.spatial.distance import jensenshannon

from m2trec_merlin.attributes.profiles import weighted_quantiles
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.drift.sample import Sample
from m2trec_merlin.encoded import MISSING, NO_ITEM, OUT_OF_VOCABULARY, EncodedColumn, Layout

_DRAWS, _CHANCE = 40, 0.95
#: Bins for numbers, each with the same number of training events.
_BINS = 10
#: Values shown of a distribution: those whose share changed most.
_SHOWN = 8
#: The most items used to find the direction in which vectors differ most.
_MOST_VECTORS = 5_000

#: A function from an attribute to the values of its ids; None if the values have no names.
Names = Callable[[str], Sequence[str] | None]
#: A function from an attribute and its encoded numbers to those of the raw column.
RawNumbers = Callable[[str, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Limits:
    """The limits above which a difference counts as drift.

    Attributes:
        distance: the limit of a distribution's distance, beyond what chance explains.
        share: the limit of a share's growth.
    """

    distance: float = 0.1
    share: float = 0.05


@dataclass(frozen=True)
class Difference:
    """The result of one comparison.

    Attributes:
        what: what is compared: `brand`, `session length`, ...
        measure: `distance`, or the name of the share.
        trained: the share in the training data; 0 for a distance.
        new: the share in the new data, or the distance.
        chance: the part of the distance or share that chance explains.
        limit: the limit for the remainder.
        values: the values of a distribution that changed most: name, share in training, share now.
    """

    what: str
    measure: str
    trained: float
    new: float
    chance: float
    limit: float
    values: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def is_drift(self) -> bool:
        """Whether the difference is above its limit."""
        return self.new - self.trained - self.chance > self.limit


#: Counts a sample's events or sessions per bin, float64 [K], over all sessions or those drawn.
_Count = Callable[[Sample, np.ndarray | None], np.ndarray]


def compare_samples(
    trained: Sample,
    new: Sample,
    catalogue: Catalogue,
    names: Names,
    raw_numbers: RawNumbers,
    limits: Limits,
    seed: int,
    without: Collection[str] = (),
) -> list[Difference]:
    """Compare two samples: attributes, unknown items, session lengths and popularity of items.

    Args:
        trained: a sample of the training sessions.
        new: a sample of the new sessions.
        catalogue: the catalogue of the trained run.
        names: gives the values of an attribute's ids.
        raw_numbers: gives the numbers of an attribute's column, by which its bins are named.
        limits: the limits for distances and shares.
        seed: the seed of the draws.
        without: names of attributes that are not compared.
    """
    distance = _Distance(trained, new, limits.distance, seed)
    found = _unknown(new, catalogue, limits.share)
    for name in (each for each in catalogue.attributes if each not in without):
        if catalogue.attributes[name].field.layout.has_vocabulary:
            found.append(distance.of(name, *_ids_of(trained, name, names(name))))
            found += _shares(name, partial(_reserved, name=name), trained, new, limits.share)
        else:
            found.append(distance.of(name, *_numbers_of(trained, name, raw_numbers)))
    longest = int(np.quantile(trained.sessions.lengths, 0.99))
    labels = [*map(str, range(longest + 1)), f"more than {longest}"]
    found.append(distance.of("session length", lambda s, d: _lengths(s, d, longest), labels))
    ids = [str(i) for i in catalogue.item_ids]
    ids[NO_ITEM] = "(not in the catalogue)"
    found.append(distance.of("popularity of items", lambda s, d: _popularity(s, d, catalogue.n_rows), ids))
    return found


class _Distance:
    def __init__(self, trained: Sample, new: Sample, limit: float, seed: int) -> None:
        self.trained, self.new, self.limit = trained, new, limit
        random = np.random.default_rng(seed)
        size, every = len(new.sessions), len(trained.sessions)
        self.draws = [random.integers(every, size=size) for _ in range(_DRAWS)]

    def of(self, what: str, count: _Count, labels: Sequence[str]) -> Difference:
        """Compare one distribution, given how to count it and the labels of its bins."""
        then, now = count(self.trained, None), count(self.new, None)
        by_chance = [_apart(then, count(self.trained, drawn)) for drawn in self.draws]
        then, now = then / then.sum(), now / now.sum()
        most = np.argsort(-abs(now - then), kind="stable")[:_SHOWN]
        return Difference(
            what,
            "distance",
            0.0,
            _apart(then, now),
            float(np.quantile(by_chance, _CHANCE)),
            self.limit,
            [(labels[i], float(then[i]), float(now[i])) for i in most if then[i] != now[i]],
        )


def _apart(then: np.ndarray, now: np.ndarray) -> float:
    # Rounding can make the divergence of equal distributions slightly negative, and its root NaN.
    return float(np.nan_to_num(jensenshannon(then, now, 2)))


def _ids_of(sample: Sample, name: str, names: Sequence[str] | None) -> tuple[_Count, Sequence[str]]:
    """Return a function that counts the ids of an attribute, and their names."""
    size = sample.items[name].field.size

    def count_ids(sample: Sample, drawn: np.ndarray | None) -> np.ndarray:
        column = sample.items[name]
        # Each event counts once, however many values its item has.
        weights = np.repeat(sample.count(drawn) / column.lengths, column.lengths)
        return np.bincount(column.values, weights, minlength=size)

    return count_ids, names or [f"id {i}" for i in range(size)]


def _numbers_of(sample: Sample, name: str, raw_numbers: RawNumbers) -> tuple[_Count, Sequence[str]]:
    """Return a function that counts the numbers of an attribute by bin, and the labels of the bins."""
    numbers = _numbers(sample.items[name])
    known = numbers(sample)
    # Numbers beyond the trained range have separate bins, as nearly all numbers may equal one of its ends.
    below = np.nextafter(np.float64(known.min()), -np.inf)
    shares = np.linspace(0, 1, _BINS + 1)[1:]
    edges = np.unique([below, *weighted_quantiles(known, sample.count(), shares)])

    def count_numbers(sample: Sample, drawn: np.ndarray | None) -> np.ndarray:
        bins = np.searchsorted(edges, numbers(sample))
        return np.bincount(bins, sample.count(drawn), minlength=len(edges) + 1)

    if sample.items[name].field.layout is Layout.VECTORS:
        ends, where = edges, " along their main direction"
    else:
        ends, where = raw_numbers(name, edges), ""
    lowest, *others = [f"{end:.3g}{where}" for end in ends]
    return count_numbers, [f"below {lowest}", *(f"up to {end}" for end in others), f"above {others[-1]}"]


def _numbers(column: EncodedColumn) -> Callable[[Sample], np.ndarray]:
    """Return a function from samples to a number per item; vectors are projected on the main direction."""
    name = column.field.name
    if column.field.layout is not Layout.VECTORS:
        return lambda sample: sample.items[name].values
    few = column.values[:_MOST_VECTORS]
    direction = np.linalg.svd(few - few.mean(0), full_matrices=False)[2][0].astype(np.float64)

    def along(sample: Sample) -> np.ndarray:
        # Products of equal vectors may differ in the last digits; rounding puts them into the same bin.
        lie = sample.items[name].values.astype(np.float64) @ direction
        return lie.astype(np.float32).astype(np.float64)

    return along


def _lengths(sample: Sample, drawn: np.ndarray | None, longest: int) -> np.ndarray:
    lengths = sample.sessions.lengths if drawn is None else sample.sessions.lengths[drawn]
    return np.bincount(np.minimum(lengths, longest + 1), minlength=longest + 2).astype(np.float64)


def _popularity(sample: Sample, drawn: np.ndarray | None, n_rows: int) -> np.ndarray:
    return np.bincount(sample.rows, sample.count(drawn), minlength=n_rows)


def _unknown(new: Sample, catalogue: Catalogue, limit: float) -> list[Difference]:
    """Compare the share of items that the trained run does not know with the share to expect.

    Even without drift, shoppers buy rare items that training did not see. The expected share of such events
    is about that of items with a single event in training (Good 1953, "The population frequencies of
    species").
    """
    events, unknown = new.count(), new.rows == NO_ITEM
    untrained = unknown | (new.rows > catalogue.n_seen)
    expected = float((catalogue.train_counts == 1).sum() / catalogue.train_counts.sum())
    return [
        Difference("items", what, 0.0, float(np.average(items, weights=events)), chance, limit)
        for what, items, chance in (
            ("not in the catalogue", unknown, 0.0),
            ("never trained on", untrained, expected),
        )
    ]


def _reserved(sample: Sample, name: str) -> Mapping[str, np.ndarray]:
    """Return for each item the share of its values that are missing, and that are not in the vocabulary."""
    column = sample.items[name]
    item = np.repeat(np.arange(len(column)), column.lengths)
    return {
        what: np.bincount(item, column.values == id_, minlength=len(column)) / column.lengths
        for what, id_ in (("missing", MISSING), ("unseen values", OUT_OF_VOCABULARY))
    }


def _shares(
    what: str, of: Callable[[Sample], Mapping[str, np.ndarray]], trained: Sample, new: Sample, limit: float
) -> list[Difference]:
    then, now = (
        {n: float(np.average(v, weights=s.count())) for n, v in of(s).items()} for s in (trained, new)
    )
    return [Difference(what, name, then[name], now[name], 0.0, limit) for name in then]
