"""Ranks the whole catalogue after every prefix, block by block, without sorting it.

Scores stay on their device: those of a model on a GPU are ranked there, and only a few numbers per prefix are
copied to the host.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
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
from m2trec_merlin.sessions import Prefixes, Sessions, identify_beginnings

#: Scores of all catalogue rows, float32 [P, R], on the host or on any device.
Scores = np.ndarray | Tensor


@runtime_checkable
class TensorScorer(Protocol):
    """An `ItemScorer` that can leave its scores on its device."""

    def score_tensor(self, prefixes: Prefixes) -> Tensor:
        """Return what `ItemScorer.score` returns, on the scorer's device."""


@runtime_checkable
class CategoryTensorScorer(Protocol):
    """A `CategoryScorer` that can leave its scores on its device."""

    def category_tensors(self, prefixes: Prefixes) -> dict[str, Tensor]:
        """Return what `CategoryScorer.category_scores` returns, on the scorer's device."""


#: Maximum number of scores held at a time, whatever `block_prefixes` says: 512 MiB of float32.
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
    """Score and rank prefixes, holding one block of scores at a time in memory.

    Args:
        scorer: scorer of items, of categories, or of both.
        prefixes: the prefixes to score; see `scored_prefixes`.
        catalogue: the catalogue whose rows are the columns of the scores.
        config: cut-offs, block size, and whether the session's own items may be recommended.
        candidates: which rows may be recommended, bool [R]; default: all.
        progress: receives the number of ranked prefixes after each block.

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
    for block in prefixes.blocks(block_size(config, catalogue)):
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


def block_size(config: EvaluationConfig, catalogue: Catalogue) -> int:
    """Return the number of prefixes that are scored at a time."""
    return max(1, min(config.block_prefixes, MAX_BLOCK_SCORES // catalogue.n_rows))


def prefixes_of(sessions: Sessions, config: EvaluationConfig) -> Prefixes:
    """Return the prefixes that `evaluation.prefixes` selects: all, or each session without its last event.

    A session whose last event may not be a target has no such prefix: training may know the events before.
    """
    prefixes = sessions.prefixes()
    if config.prefixes == "all":
        return prefixes
    return prefixes.take(np.flatnonzero(prefixes.length == sessions.lengths[prefixes.session] - 1))


def scored_prefixes(sessions: Sessions, config: Config, most: int | None) -> Prefixes:
    """Return the prefixes to score: a sample of at most `most` prefixes of `prefixes_of`."""
    return sample_prefixes(prefixes_of(sessions, config.evaluation), most, config.seed)


def identify_prefixes(prefixes: Prefixes, catalogue: Catalogue) -> str:
    """Return what is equal for the same prefixes with the same next items, in any order and any catalogue."""
    sessions, ids = prefixes.sessions, catalogue.item_ids.astype(str).astype(object)
    events = identify_beginnings(
        np.full(len(sessions), "", object), pd.util.hash_array(ids)[sessions.rows], sessions.offsets
    )
    scored = events[sessions.offsets[prefixes.session] + prefixes.length]
    return f"{np.add.reduce(scored):016x}"


def why_none(config: Config) -> str:
    """Explain, for a message, why valid sessions may have no prefix to score."""
    if config.evaluation.prefixes == "last" and config.data.targets is not None:
        return "no session ends in an event that may be a target (evaluation.prefixes: last, data.targets)"
    return "no session has two events"


def sample_prefixes(prefixes: Prefixes, size: int | None, seed: int) -> Prefixes:
    """Return `size` prefixes drawn without replacement, in the original order; all if there are no more."""
    if size is None or size >= len(prefixes):
        return prefixes
    drawn = np.random.default_rng(seed).choice(len(prefixes), size, replace=False)
    return prefixes.take(np.sort(drawn))


def rank_items(scores: Scores, prefixes: Prefixes, ks: tuple[int, ...]) -> ItemRanks:
    """Rank the remaining items of a block of prefixes.

    Args:
        scores: scores of all catalogue rows, float32 [P, R].
        prefixes: P prefixes.
        ks: cut-offs, ascending.
    """
    scores = torch.as_tensor(scores)
    target = rank(scores, prefixes.targets)
    after = events_after(prefixes)
    # Each distinct item counts once; events of unknown items, which look the same, count one by one.
    known = after.row != NO_ITEM
    distinct = np.unique(after.prefix[known] * scores.shape[1] + after.row[known])
    prefix, row = np.divmod(distinct, scores.shape[1])
    on_device = _to(prefix, scores)
    values = scores[on_device, _to(row, scores)]
    # rank(item) <= K means that at most K candidates, itself included, score at least as high, so that its
    # score is above the (K + 1)-th highest.
    best = top_values(scores, max(ks) + 1)
    hits = [values.isfinite() & (values > best[on_device, k]) for k in ks]
    found = [np.bincount(prefix[hit], minlength=len(prefixes)) for hit in torch.stack(hits).cpu().numpy()]
    remaining = np.bincount(np.concatenate([prefix, after.prefix[~known]]), minlength=len(prefixes))
    return ItemRanks(target, np.stack(found, axis=1).astype(np.int32), remaining.astype(np.int32))


def rank_categories(scores: Scores, truth: EncodedColumn) -> np.ndarray:
    """Rank the next item's category among all values of its vocabulary; of several, the best-ranked one.

    Args:
        scores: scores of the vocabulary's ids, float32 [P, V].
        truth: categories of the P next items, one or several each.

    Returns:
        The ranks, int64 [P]: UNMEASURED if the next item has no category; UNRANKED if the vocabulary lacks
        its categories, so that no scorer can predict them.
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
    """Rank one column of each line, with ties counted against it.

    rank = 1 + |{c != column : score(c) >= score(column)}|. A column whose score is not finite is UNRANKED. A
    NaN in another column counts as higher, so that broken scores never help.

    Args:
        scores: the scores, float32 [P, C].
        columns: column to rank in each line, int64 [P].

    Returns:
        The ranks, int64 [P].
    """
    scores = torch.as_tensor(scores)
    own = scores.gather(1, _to(columns, scores).unsqueeze(1))
    ranks = scores.shape[1] - _count_less(scores, own)
    return torch.where(own.squeeze(1).isfinite(), ranks, UNRANKED).cpu().numpy()


def _count_less(scores: Tensor, than: Tensor) -> Tensor:
    """Return the number of scores in each line below that line's value in `than`, [P, 1]; int64 [P]."""
    if scores.device.type == "cpu":
        # NumPy counts six times as fast as torch does.
        return torch.from_numpy(np.count_nonzero(scores.numpy() < than.numpy(), axis=1))
    return torch.count_nonzero(scores < than, dim=1)


def top_values(scores: Scores, count: int) -> Tensor:
    """Return the highest scores of each line, descending, float32 [P, count], filled up with -inf."""
    scores = torch.as_tensor(scores)
    best, _ = top(scores, count)
    return torch.nn.functional.pad(best, (0, count - best.shape[1]), value=-torch.inf)


def top_rows(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the columns of the highest scores of each line, best first, int64 [P, count].

    NO_ITEM fills up lines that have fewer candidates.
    """
    best, columns = top(torch.from_numpy(scores), count)
    rows = np.where(np.isneginf(best.numpy()), NO_ITEM, columns.numpy())
    return np.pad(rows, ((0, 0), (0, count - rows.shape[1])), constant_values=NO_ITEM)


@torch.inference_mode()  # tensors made in inference mode, as a model's scores are, are only writable in it
def leave_out(scores: Tensor, block: Prefixes, candidates: np.ndarray | None, session_items: bool) -> None:
    """Set the scores of items that must not be recommended to -inf, in place."""
    if candidates is not None:
        scores.masked_fill_(_to(~candidates, scores), -torch.inf)
    if session_items:
        held = events_before(block)
        scores[_to(held.prefix, scores), _to(held.row, scores)] = -torch.inf


def _to(array: np.ndarray, scores: Tensor) -> Tensor:
    """Copy an array to the device of the scores."""
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
