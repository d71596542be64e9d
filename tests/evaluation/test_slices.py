import numpy as np

from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.evaluation.slices import (
    SLICES,
    length_slices,
    occurrence_slices,
)
from m2trec_merlin.sessions import Sessions
from tests.worlds.checkerboard import make_catalogue

# Rows 1 and 2 are popular, 3 is a tail item, 4 was never seen; 0 is in no catalogue.
CATALOGUE = make_catalogue([500, 10, 9, 0])
PREFIXES = Sessions.from_lists([[1, 2, 1], [1, 2, 3], [4, 1, 2], [2, 1, 4], [1, 0]]).prefixes()
CONFIG = EvaluationConfig(sparse_below=10)


def chosen(name: str) -> list[list[int]]:
    part = next(s for s in SLICES if s.name == name)
    mask = part.mask(PREFIXES, CATALOGUE, CONFIG)
    assert mask.dtype == bool
    kept = PREFIXES.take(np.flatnonzero(mask))
    return [[*kept.items(i).tolist(), int(kept.targets[i])] for i in range(len(kept))]


def test_all_holds_every_prefix() -> None:
    assert len(chosen("All")) == len(PREFIXES) == 9


def test_sparse_holds_all_prefixes_of_a_session_with_a_tail_item() -> None:
    assert chosen("Sparse") == [[1, 2], [1, 2, 3], [4, 1], [4, 1, 2], [2, 1], [2, 1, 4], [1, 0]]


def test_tail_target_looks_at_the_next_item_only() -> None:
    assert chosen("Tail target") == [[1, 2, 3], [2, 1, 4], [1, 0]]


def test_rare_target_is_the_tail_without_what_was_never_seen() -> None:
    assert chosen("Rare target") == [[1, 2, 3]]


def test_cold_target_holds_what_was_never_seen() -> None:
    assert chosen("Cold target") == [[2, 1, 4], [1, 0]]


def test_the_threshold_comes_from_the_configuration() -> None:
    sparse = next(s for s in SLICES if s.name == "Sparse")
    config = EvaluationConfig(sparse_below=11)
    assert sparse.mask(PREFIXES, CATALOGUE, config).all(), "row 2 is a tail item now"


def test_breakdowns_are_disjoint_and_complete() -> None:
    for slices in (occurrence_slices(), length_slices()):
        masks = np.stack([s.mask(PREFIXES, CATALOGUE, CONFIG) for s in slices])
        assert (masks.sum(axis=0) == 1).all()
        assert len({s.name for s in slices}) == len(slices)


def test_breakdown_by_occurrences_counts_training_events_of_the_next_item() -> None:
    named = {s.name: s.mask(PREFIXES, CATALOGUE, CONFIG) for s in occurrence_slices()}
    assert PREFIXES.targets[named["0"]].tolist() == [4, 0]
    assert PREFIXES.targets[named["3-9"]].tolist() == [3]
    assert set(PREFIXES.targets[named["10-29"]]) == {2}
    assert set(PREFIXES.targets[named["300-999"]]) == {1}
    assert not named["1,000+"].any()
