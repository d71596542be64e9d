"""The metrics against implementations that share no code with ours."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.retrieval import (
    RetrievalHitRate,
    RetrievalMRR,
    RetrievalNormalizedDCG,
    RetrievalRecall,
)

from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.evaluation.metrics import METRICS
from m2trec_merlin.evaluation.outcomes import Outcome
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.sessions import Sessions
from tests.worlds.checkerboard import FunctionScorer, make_catalogue

N_ITEMS = 8
KS = (1, 3, 5, 20)


def slow_metrics(scores: list[float], prefix: list[int], remaining: list[int], k: int) -> dict[str, float]:
    """Compute all metrics of a prefix with lists and loops, from the definitions."""

    def is_in_top(item: int) -> bool:
        if item == 0 or scores[item] == -np.inf:
            return False
        at_least = [other for other in range(1, N_ITEMS + 1) if scores[other] >= scores[item]]
        return len(at_least) <= k

    target = remaining[0]
    place = len([other for other in range(1, N_ITEMS + 1) if scores[other] >= scores[target]])
    distinct = {item for item in remaining if item != 0}
    unknown = remaining.count(0)
    found = [item for item in distinct if is_in_top(item)]
    return {
        "HIT": float(is_in_top(target)),
        "MRR": 1 / place if is_in_top(target) else 0.0,
        "NDCG": 1 / np.log2(1 + place) if is_in_top(target) else 0.0,
        "Recall": len(found) / (len(distinct) + unknown),
        "HitRemaining": float(len(found) > 0),
    }


SCORES = st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0, 3.0]), min_size=9, max_size=9)
SESSION = st.lists(st.integers(0, N_ITEMS), min_size=2, max_size=6)


@given(st.lists(st.tuples(SESSION, SCORES), min_size=1, max_size=4), st.integers(1, 5), st.booleans())
def test_metrics_equal_a_slow_implementation(
    world: list[tuple[list[int], list[float]]], block: int, exclude: bool
) -> None:
    """Scores have many ties and non-candidates; sessions have repeats and unknown items."""
    sessions = Sessions.from_lists([session for session, _ in world])
    tables = {tuple(session): scores for session, scores in world}

    def scores_after(prefix: list[int]) -> list[float]:
        session = next(s for s in tables if list(s[: len(prefix)]) == prefix)
        return list(np.roll(tables[session], len(prefix)))

    prefixes = sessions.prefixes()
    config = EvaluationConfig(ks=list(KS), block_prefixes=block, exclude_session_items=exclude)
    outcome = evaluate(FunctionScorer(scores_after), prefixes, make_catalogue([1] * N_ITEMS), config)
    for index in range(len(prefixes)):
        prefix = prefixes.items(index).tolist()
        scores = scores_after(prefix)
        scores[0] = -np.inf
        for item in prefix if exclude else []:
            scores[item] = -np.inf
        for k in KS:
            expected = slow_metrics(scores, prefix, prefixes.remaining(index).tolist(), k)
            found = {metric.name: float(metric.values(outcome, k)[index]) for metric in METRICS}
            np.testing.assert_allclose([found[name] for name in expected], list(expected.values()), rtol=1e-6)


def random_outcome() -> tuple[Outcome, np.ndarray]:
    """Score sessions of a 30-item catalogue at random, without ties."""
    generator = np.random.default_rng(5)
    sessions = Sessions.from_lists(
        [generator.integers(1, 31, generator.integers(2, 8)).tolist() for _ in range(25)]
    )
    prefixes = sessions.prefixes()
    scores = generator.permuted(np.tile(np.arange(31.0), (len(prefixes), 1)), axis=1).astype(np.float32)
    scores[:, 0] = -np.inf
    lines = iter(scores.tolist())
    outcome = evaluate(
        FunctionScorer(lambda prefix: next(lines)),
        prefixes,
        make_catalogue([1] * 30),
        EvaluationConfig(ks=[1, 5, 10]),
    )
    return outcome, scores


def test_metrics_equal_torchmetrics() -> None:
    outcome, scores = random_outcome()
    prefixes = outcome.prefixes
    candidates = torch.from_numpy(scores[:, 1:])
    query = torch.arange(len(prefixes)).repeat_interleave(30)
    is_target, remains = torch.zeros_like(candidates, dtype=bool), torch.zeros_like(candidates, dtype=bool)
    for index in range(len(prefixes)):
        is_target[index, prefixes.targets[index] - 1] = True
        remains[index, prefixes.remaining(index) - 1] = True
    references = {
        "HIT": (RetrievalHitRate, is_target),
        "MRR": (RetrievalMRR, is_target),
        "NDCG": (RetrievalNormalizedDCG, is_target),
        "Recall": (RetrievalRecall, remains),
        "HitRemaining": (RetrievalHitRate, remains),
    }
    for metric in METRICS:
        reference, relevant = references[metric.name]
        for k in outcome.ks:
            expected = reference(top_k=k)(candidates.flatten(), relevant.flatten(), indexes=query)
            np.testing.assert_allclose(metric.values(outcome, k).mean(), expected, rtol=1e-5)
