"""Rank the whole catalogue after every prefix, block by block, without sorting it.

Scores stay where they are made: those of a model on a GPU are ranked there, and a few numbers a prefix come
to the host.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config, EvaluationConfig
from m2trec_merlin.encoded import FIRST_VALUE, MISSING, NO_ITEM, EncodedColumn
from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.evaluation.outcomes import UNMEASURED, UNRANKED, ItemRanks, Outcome
from m2trec_merlin.evaluation.top import top
from m2trec_merlin.histories import events_after, events_before
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.scores import CategoryScorer, ItemScorer
from m2trec_merlin.sessions import Prefixes, Sessions

#: float32 [P, R], on the host or on any device.
Scores = np.ndarray | Tensor


@runtime_checkable
class TensorScorer(Protocol):
    """A scorer whose scores need not come to the host."""

    def score_tensor(self, prefixes: Prefixes) -> Tensor:
        """Return what `ItemScorer.score` returns, on the scorer's device."""


@runtime_checkable
class CategoryTensorScorer(Protocol):
    """A scorer whose scores of categories need not come to the host."""

    def category_tensors(self, prefixes: Prefixes) -> dict[str, Tensor]:
        """Return what `CategoryScorer.category_scores` returns, on the scorer's device."""


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
        prefixes: what to score; see `scored_prefixes`.
        catalogue: the items that the scorer's columns stand for.
        config: cut-offs, block size, and whether the session's own items may be recommended.
        candidates: bool [R], rows that may be recommended; default: all.
        progress: is told after each block how many prefixes have been ranked.

    Raises:
        M2TRecError: the scores are not numbers.
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
            leave_out(scores, block, candidates, config.exclude_session_items)
            ranks.append(rank_items(scores, block, ks))
        if categories is not None:
            for name, values in _of_categories(categories, block).items():
                truth = catalogue.attributes[name].take(block.targets)
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


def prefixes_of(sessions: Sessions, config: EvaluationConfig) -> Prefixes:
    """Return the prefixes that `evaluation.prefixes` says: all, or sessions without their last event.

    A session whose last event may be no target has no last prefix: training may know what comes before.
    """
    prefixes = sessions.prefixes()
    if config.prefixes == "all":
        return prefixes
    return prefixes.take(np.flatnonzero(prefixes.length == sessions.lengths[prefixes.session] - 1))


def scored_prefixes(sessions: Sessions, config: EvaluationConfig, most: int | None, seed: int) -> Prefixes:
    """Return the prefixes that are scored: `prefixes_of`, and of these a sample where there are more."""
    return sample_prefixes(prefixes_of(sessions, config), most, seed)


def why_none(config: Config) -> str:
    """Say why sessions that follow the rules of data/ may have no prefix that is scored."""
    if config.evaluation.prefixes == "last" and config.data.targets is not None:
        return "no session ends in an event that may be a target (evaluation.prefixes: last, data.targets)"
    return "no session has two events"


def sample_prefixes(prefixes: Prefixes, size: int | None, seed: int) -> Prefixes:
    """Return `size` prefixes drawn without replacement, in their old order; all if there are no more."""
    if size is None or size >= len(prefixes):
        return prefixes
    drawn = np.random.default_rng(seed).choice(len(prefixes), size, replace=False)
    return prefixes.take(np.sort(drawn))


def rank_items(scores: Scores, prefixes: Prefixes, ks: tuple[int, ...]) -> ItemRanks:
    """Rank the remaining items of a block of prefixes.

    Args:
        scores: float32 [P, R].
        prefixes: P prefixes.
        ks: cut-offs, rising.
    """
    scores = torch.as_tensor(scores)
    target = rank(scores, prefixes.targets)
    after = events_after(prefixes)
    # An item counts once, however often it is still to come; unknown ones cannot be told apart.
    known = after.row != NO_ITEM
    distinct = np.unique(after.prefix[known] * scores.shape[1] + after.row[known])
    prefix, row = np.divmod(distinct, scores.shape[1])
    on_device = _to(prefix, scores)
    values = scores[on_device, _to(row, scores)]
    # rank(item) <= K says that at most K candidates score as high as it, itself included: its score is
    # above the (K + 1)-th highest.
    best = top_values(scores, max(ks) + 1)
    hits = [values.isfinite() & (values > best[on_device, k]) for k in ks]
    found = [np.bincount(prefix[hit], minlength=len(prefixes)) for hit in torch.stack(hits).cpu().numpy()]
    remaining = np.bincount(np.concatenate([prefix, after.prefix[~known]]), minlength=len(prefixes))
    return ItemRanks(target, np.stack(found, axis=1).astype(np.int32), remaining.astype(np.int32))


def rank_categories(scores: Scores, truth: EncodedColumn) -> np.ndarray:
    """Rank the next item's category among the values of its vocabulary: the best placed of several.

    Args:
        scores: float32 [P, V].
        truth: categories of the P items that came next, one each or some.

    Returns:
        int64 [P]: UNMEASURED where the next item has no category; UNRANKED where its categories were not
        in the vocabulary, which nobody can predict.
    """
    prefix = np.repeat(np.arange(len(truth)), truth.lengths)
    present = truth.values > MISSING
    prefix, values = prefix[present], truth.values[present]
    scores = torch.as_tensor(scores)
    scores = scores[_to(prefix, scores)]
    scores[:, :FIRST_VALUE] = -torch.inf
    ranks = np.full(len(truth), UNMEASURED, np.int64)
    ranks[prefix] = UNRANKED
    np.minimum.at(ranks, prefix, rank(scores, values))
    return ranks


def rank(scores: Scores, columns: np.ndarray) -> np.ndarray:
    """Rank one column of each line, ties counted against it.

    rank = 1 + |{c != column : score(c) >= score(column)}|. A score that is not finite is no candidate's:
    UNRANKED. A NaN elsewhere counts as ahead, so that broken scores never help.

    Args:
        scores: float32 [P, C].
        columns: int64 [P].

    Returns:
        int64 [P].
    """
    scores = torch.as_tensor(scores)
    own = scores.gather(1, _to(columns, scores).unsqueeze(1))
    ranks = scores.shape[1] - _count_less(scores, own)
    return torch.where(own.squeeze(1).isfinite(), ranks, UNRANKED).cpu().numpy()


def _count_less(scores: Tensor, than: Tensor) -> Tensor:
    """Return how many scores of each line are less than that line's value, [P, 1]; int64 [P]."""
    if scores.device.type == "cpu":
        # NumPy counts six times as fast as torch does.
        return torch.from_numpy(np.count_nonzero(scores.numpy() < than.numpy(), axis=1))
    return torch.count_nonzero(scores < than, dim=1)


def top_values(scores: Scores, count: int) -> Tensor:
    """Return the highest scores of each line, falling, float32 [P, count]; -inf where there are fewer."""
    scores = torch.as_tensor(scores)
    best, _ = top(scores, count)
    return torch.nn.functional.pad(best, (0, count - best.shape[1]), value=-torch.inf)


def top_rows(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the columns with the highest scores of each line, best first, int64 [P, count].

    NO_ITEM fills up lines that have fewer candidates.
    """
    best, columns = top(torch.from_numpy(scores), count)
    rows = np.where(np.isneginf(best.numpy()), NO_ITEM, columns.numpy())
    return np.pad(rows, ((0, 0), (0, count - rows.shape[1])), constant_values=NO_ITEM)


@torch.inference_mode()  # as scores of a model are made in it, and may be written to in it alone
def leave_out(scores: Tensor, block: Prefixes, candidates: np.ndarray | None, session_items: bool) -> None:
    """Write -inf where no item may be recommended."""
    if candidates is not None:
        scores.masked_fill_(_to(~candidates, scores), -torch.inf)
    if session_items:
        held = events_before(block)
        scores[_to(held.prefix, scores), _to(held.row, scores)] = -torch.inf


def _to(array: np.ndarray, scores: Tensor) -> Tensor:
    """Return an array of the host on the device of the scores."""
    return torch.from_numpy(array).to(scores.device)


def _checked(scorer: ItemScorer, block: Prefixes, catalogue: Catalogue) -> Tensor:
    scores = scorer.score_tensor(block) if isinstance(scorer, TensorScorer) else scorer.score(block)
    expected = (len(block), catalogue.n_rows)
    if scores.shape != expected or scores.dtype not in (np.float32, torch.float32):
        raise ValueError(
            f"{scorer.name}: scores are {scores.dtype} {tuple(scores.shape)}, expected float32 {expected}"
        )
    scores = torch.as_tensor(scores)
    if scores[:, NO_ITEM].isnan().any():
        raise M2TRecError(
            f"{scorer.name}: scores are no numbers, as the weights are none: train again with a lower "
            "training.learning_rate"
        )
    if not scores[:, NO_ITEM].isneginf().all():
        raise ValueError(f"{scorer.name}: row 0 is no item, its scores must be -inf")
    return scores


def _of_categories(scorer: CategoryScorer, block: Prefixes) -> Mapping[str, Scores]:
    if isinstance(scorer, CategoryTensorScorer):
        return scorer.category_tensors(block)
    return scorer.category_scores(block)


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
