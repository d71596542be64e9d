"""Rank the whole catalogue after every prefix, block by block, without sorting it."""

from __future__ import annotations

import time

import numpy as np
import torch

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.encoded import FIRST_VALUE, MISSING, NO_ITEM
from m2trec_merlin.evaluation.outcomes import UNMEASURED, UNRANKED, ItemRanks, Outcome
from m2trec_merlin.histories import events_after, events_before
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.scores import CategoryScorer, ItemScorer
from m2trec_merlin.sessions import Prefixes

#: Scores held at a time, whatever `block_prefixes` says: 512 MiB of float32.
MAX_BLOCK_SCORES = 1 << 27


def evaluate(
    scorer: ItemScorer | CategoryScorer,
    prefixes: Prefixes,
    catalogue: Catalogue,
    config: EvaluationConfig,
    *,
    candidates: np.ndarray | None = None,
    progress: Progress = SILENT,
) -> Outcome:
    """Score and rank prefixes; memory is bounded by one block of scores.

    Args:
        scorer: of items, of categories, or of both.
        prefixes: what to score; see `sample_prefixes`.
        catalogue: the items that the scorer's columns stand for.
        config: cut-offs, block size, and whether the session's own items may be recommended.
        candidates: bool [R], rows that may be recommended; default: all.
        progress: is told after each block how many prefixes have been ranked.

    Raises:
        ValueError: the scorer broke its contract (wrong shape, or a score for NO_ITEM).
    """
    items = scorer if isinstance(scorer, ItemScorer) else None
    categories = scorer if isinstance(scorer, CategoryScorer) else None
    ks = tuple(sorted(config.ks))
    ranks: list[ItemRanks] = []
    category_ranks: dict[str, list[np.ndarray]] = {}
    done, started = 0, time.perf_counter()
    for block in prefixes.blocks(max(1, min(config.block_prefixes, MAX_BLOCK_SCORES // catalogue.n_rows))):
        if items is not None:
            scores = _checked(items, block, catalogue)
            if candidates is not None:
                scores[:, ~candidates] = -np.inf
            if config.exclude_session_items:
                held = events_before(block)
                scores[held.prefix, held.row] = -np.inf
            ranks.append(rank_items(scores, block, ks))
        if categories is not None:
            for name, values in categories.category_scores(block).items():
                truth = catalogue.attributes[name].values[block.targets]
                category_ranks.setdefault(name, []).append(rank_categories(values, truth))
        done += len(block)
        rate = done / max(time.perf_counter() - started, 1e-9)
        progress.advance(f"scoring with {scorer.name}", done, len(prefixes), f"{rate:,.0f} a second")
    return Outcome(
        model=scorer.name,
        candidates=_describe(items, candidates),
        prefixes=prefixes,
        ks=ks,
        items=_joined(ranks, len(ks)) if items is not None else None,
        categories={name: np.concatenate(parts) for name, parts in category_ranks.items()},
        seconds=time.perf_counter() - started,
    )


def sample_prefixes(prefixes: Prefixes, size: int | None, seed: int) -> Prefixes:
    """Return `size` prefixes drawn without replacement, in their old order; all if there are no more."""
    if size is None or size >= len(prefixes):
        return prefixes
    drawn = np.random.default_rng(seed).choice(len(prefixes), size, replace=False)
    return prefixes.take(np.sort(drawn))


def rank_items(scores: np.ndarray, prefixes: Prefixes, ks: tuple[int, ...]) -> ItemRanks:
    """Rank the remaining items of a block of prefixes.

    Args:
        scores: float32 [P, R].
        prefixes: P prefixes.
        ks: cut-offs, rising.
    """
    target = rank(scores, prefixes.targets)
    after = events_after(prefixes)
    # An item counts once, however often it is still to come.
    distinct = np.unique(after.prefix * scores.shape[1] + after.row)
    prefix, row = np.divmod(distinct, scores.shape[1])
    values = scores[prefix, row]
    # rank(item) <= K says that at most K candidates score as high as it, itself included: its score is
    # above the (K + 1)-th highest.
    best = top_values(scores, max(ks) + 1)
    hits = [np.isfinite(values) & (values > best[prefix, k]) for k in ks]
    found = [np.bincount(prefix[hit], minlength=len(prefixes)) for hit in hits]
    remaining = np.bincount(prefix, minlength=len(prefixes))
    return ItemRanks(target, np.stack(found, axis=1).astype(np.int32), remaining.astype(np.int32))


def rank_categories(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Rank the next item's category among the values of its vocabulary.

    Args:
        scores: float32 [P, V].
        truth: int64 [P], ids of the categories that came next.

    Returns:
        int64 [P]: UNMEASURED where the next item has no category; UNRANKED where its category was not
        in the vocabulary, which nobody can predict.
    """
    scores = scores.copy()
    scores[:, :FIRST_VALUE] = -np.inf
    return np.where(truth <= MISSING, UNMEASURED, rank(scores, truth))


def rank(scores: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Rank one column of each line, ties counted against it.

    rank = 1 + |{c != column : score(c) >= score(column)}|. A score that is not finite is no candidate's:
    UNRANKED. A NaN elsewhere counts as ahead, so that broken scores never help.

    Args:
        scores: float32 [P, C].
        columns: int64 [P].

    Returns:
        int64 [P].
    """
    own = scores[np.arange(len(scores)), columns]
    behind = np.count_nonzero(scores < own[:, None], axis=1)
    return np.where(np.isfinite(own), scores.shape[1] - behind, UNRANKED)


def top_values(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the highest scores of each line, falling, float32 [P, count]; -inf where there are fewer."""
    kept = min(count, scores.shape[1])
    best = torch.topk(torch.from_numpy(scores), kept, dim=1).values.numpy()
    return np.pad(best, ((0, 0), (0, count - kept)), constant_values=-np.inf)


def top_rows(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the columns with the highest scores of each line, best first, int64 [P, count].

    NO_ITEM fills up lines that have fewer candidates.
    """
    best = torch.topk(torch.from_numpy(scores), min(count, scores.shape[1]), dim=1)
    rows = np.where(np.isneginf(best.values.numpy()), NO_ITEM, best.indices.numpy())
    return np.pad(rows, ((0, 0), (0, count - rows.shape[1])), constant_values=NO_ITEM)


def _checked(scorer: ItemScorer, block: Prefixes, catalogue: Catalogue) -> np.ndarray:
    scores = scorer.score(block)
    expected = (len(block), catalogue.n_rows)
    if scores.shape != expected or scores.dtype != np.float32:
        raise ValueError(
            f"{scorer.name}: scores are {scores.dtype} {scores.shape}, expected float32 {expected}"
        )
    if not np.isneginf(scores[:, NO_ITEM]).all():
        raise ValueError(f"{scorer.name}: row 0 is no item, its scores must be -inf")
    return scores


def _describe(scorer: ItemScorer | None, candidates: np.ndarray | None) -> str:
    if scorer is None:
        return ""
    if candidates is None:
        return scorer.candidates
    return f"{scorer.candidates}, of these {int(candidates[1:].sum())} allowed"


def _joined(parts: list[ItemRanks], n_ks: int) -> ItemRanks:
    return ItemRanks(
        np.concatenate([np.empty(0, np.int64), *(p.target for p in parts)]),
        np.concatenate([np.empty((0, n_ks), np.int32), *(p.found for p in parts)]),
        np.concatenate([np.empty(0, np.int32), *(p.remaining for p in parts)]),
    )
