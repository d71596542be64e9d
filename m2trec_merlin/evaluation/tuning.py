"""The verb `tune`: what model, neighbours, words and rarity should count, measured on validation sessions.

Shape legend: P prefixes of a block, R catalogue rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from scipy.special import log_softmax

from m2trec_merlin.attributes import ITEM_ID
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.evaluation.ranking import rank, sample_prefixes
from m2trec_merlin.evaluation.run import model_scorer
from m2trec_merlin.evaluation.served import mixture_of
from m2trec_merlin.neighbours.mixture import Mixture, Weights, log_view, rarity
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.sessions import Prefixes, Sessions

Kind = Literal["metadata", "id"]

#: What is tried: every combination of these.
KINDS: tuple[Kind, ...] = ("metadata", "id")
NEIGHBOURS = (0.0, 0.5, 1.0, 2.0, 3.0)
CONTENT = (0.0, 0.25, 0.5, 1.0, 1.5)
RARE = (0.0, 0.5, 1.0, 2.0, 3.0)

#: Share of the best HIT@20 over all prefixes that may be given for the tail.
WORTH_THE_TAIL = 0.01

_K = 20
_BLOCK_SCORES = 1 << 23


@dataclass(frozen=True)
class Point:
    """What weights are worth on validation.

    Attributes:
        by: what makes items the same to neighbours, as `serving.mixture.by` has it.
        weights: of the mixture.
        hit: HIT@20 over all prefixes.
        tail: HIT@20 over those whose next item has few training occurrences, or none; 0 where there are none.
        mrr: MRR@20 over all prefixes.
    """

    by: Kind
    weights: Weights
    hit: float
    tail: float
    mrr: float


def tune(config: Config, prefixes: int = 4000, progress: Progress = SILENT) -> tuple[Point, list[Point]]:
    """Measure mixtures of the trained model with its neighbours on validation sessions.

    Args:
        config: of the run; the model and its data are taken as the model was trained.
        prefixes: a seeded sample of so many.
        progress: is told how far it is.

    Returns:
        The point to choose, and the frontier: of all points those that no other one beats over all and on
        the tail, best over all first.

    Raises:
        ArtifactError: `preprocess` or `train` has not run, or with settings that do not fit each other.
    """
    from m2trec_merlin.model.storage import run_as_trained

    run = run_as_trained(config, progress)
    catalogue = Catalogue.load(run.catalogue)
    model = model_scorer(run, catalogue, progress)
    train = Sessions.load(run.sessions("train"))
    valid = Sessions.load(run.sessions("valid")).prefixes()
    sample = sample_prefixes(valid, prefixes, config.seed)
    points: list[Point] = []
    for by in KINDS if ITEM_ID not in run.config.inputs else KINDS[1:]:
        mixture = mixture_of(with_neighbours_by(run.config, by), catalogue, train, model)
        points += measure_weights(mixture, by, sample, config.evaluation.sparse_below, progress)
    return choose(points), frontier(points)


def with_neighbours_by(config: Config, by: Kind) -> Config:
    """Return the configuration with other neighbours."""
    mixture = config.serving.mixture.model_copy(update={"by": by})
    return config.model_copy(
        update={"serving": config.serving.model_copy(update={"neighbours": True, "mixture": mixture})}
    )


def measure_weights(
    mixture: Mixture, by: Kind, prefixes: Prefixes, tail_below: int, progress: Progress = SILENT
) -> list[Point]:
    """Measure every combination of weights on the same scores.

    Args:
        mixture: its own weights play no part.
        by: what makes items the same to its neighbours.
        prefixes: to rank all items for.
        tail_below: a tail item has fewer training occurrences.
        progress: is told after each block how many prefixes have been ranked.
    """
    ranks: dict[Weights, list[np.ndarray]] = {}
    done = 0
    for block in prefixes.blocks(max(1, _BLOCK_SCORES // len(mixture.occurrences))):
        for weights, scores in _mixtures(mixture, block):
            ranks.setdefault(weights, []).append(rank(scores, block.targets))
        done += len(block)
        progress.advance(f"neighbours by {by}", done, len(prefixes), f"{len(ranks)} combinations")
    tail = mixture.occurrences[prefixes.targets] < tail_below
    return [_point(by, weights, np.concatenate(parts), tail) for weights, parts in ranks.items()]


def choose(points: Sequence[Point]) -> Point:
    """Return the best on the tail of those that lose at most 1 % (relative) of the best HIT@20 over all."""
    enough = (1 - WORTH_THE_TAIL) * max(point.hit for point in points)
    return max((p for p in points if p.hit >= enough), key=lambda p: (p.tail, p.hit, p.mrr))


def frontier(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other one beats on one measure without losing on the other, best first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (-p.hit, -p.tail, -p.mrr)):
        if not best or point.tail > best[-1].tail:
            best.append(point)
    return best


def _mixtures(mixture: Mixture, block: Prefixes) -> Iterator[tuple[Weights, np.ndarray]]:
    """Yield what `mix` gives for all weights, adding each view once; valid until the next one."""
    scores, near, alike = mixture.views(block)
    model, near = log_softmax(scores, axis=1), log_view(near)
    words = None if alike is None else log_view(alike)
    rare = rarity(mixture.occurrences)
    for neighbours, content in product(NEIGHBOURS, CONTENT if words is not None else CONTENT[:1]):
        mixed = model + np.float32(neighbours) * near
        if words is not None:
            mixed += np.float32(content) * words
        for before, weight in zip((0.0, *RARE), RARE, strict=False):
            mixed += np.float32(weight - before) * rare
            yield Weights(neighbours, content, weight), mixed


def _point(by: Kind, weights: Weights, ranks: np.ndarray, tail: np.ndarray) -> Point:
    hits = ranks <= _K
    reciprocal = np.where(hits, 1 / ranks, 0)
    on_tail = float(hits[tail].mean()) if tail.any() else 0.0
    return Point(by, weights, float(hits.mean()), on_tail, float(reciprocal.mean()))
