"""Cross-entropy over many candidates (Eq. 7) without ever holding all logits.

Shape legend: P prefixes, C candidates, D width, M (prefix, candidate) pairs with an extra score.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

#: Number of logits held at a time: 8 MiB of float32 stay in the processor's cache.
LOGITS_AT_A_TIME = 1 << 21
#: The same on a GPU: 256 MiB, enough work for each kernel launch.
LOGITS_AT_A_TIME_ON_GPU = 1 << 26


def candidate_cross_entropy(
    queries: Tensor,
    candidates: Tensor,
    biases: Tensor,
    targets: Tensor,
    pair_prefixes: Tensor,
    pair_candidates: Tensor,
    pair_scores: Tensor,
    log_inclusion: Tensor | None = None,
    counted: Tensor | None = None,
    at_a_time: int | None = None,
) -> Tensor:
    """Return the mean cross-entropy of the targets among the candidates.

    The logit of candidate c for prefix p is `queries[p] . candidates[c] + biases[c]`, plus the pair's
    score where (p, c) is a pair. With `log_inclusion`, every candidate but the target is divided by
    the probability that it was drawn, which makes the sum over candidates an unbiased (Horvitz-Thompson)
    estimate of the sum over all items.

    Args:
        queries: vectors of prefixes, float32 [P, D].
        candidates: vectors of candidates, float32 [C, D].
        biases: biases of candidates, float32 [C].
        targets: index of each prefix's target among the candidates, int64 [P].
        pair_prefixes: prefixes of pairs, ascending, int64 [M].
        pair_candidates: candidates of pairs, int64 [M].
        pair_scores: extra scores of pairs, float32 [M].
        log_inclusion: log probability that each candidate is drawn, float32 [C].
        counted: which prefixes have a target, bool [P]; default: all.
        at_a_time: number of logits held at a time; default: by the device.

    Returns:
        The loss, float32 scalar; 0 without any target.
    """
    correction = torch.zeros_like(biases) if log_inclusion is None else log_inclusion
    shares = torch.ones_like(biases[:1]).expand(len(targets)) if counted is None else counted.to(biases.dtype)
    if at_a_time is None:
        at_a_time = LOGITS_AT_A_TIME_ON_GPU if queries.is_cuda else LOGITS_AT_A_TIME
    loss: Tensor = _CandidateCrossEntropy.apply(
        queries,
        candidates,
        biases,
        pair_scores,
        pair_prefixes,
        pair_candidates,
        targets,
        correction,
        shares,
        at_a_time,
    )
    return loss


class _CandidateCrossEntropy(torch.autograd.Function):
    """Computes the gradients together with the loss, a block of prefixes at a time."""

    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        candidates: Tensor,
        biases: Tensor,
        pair_scores: Tensor,
        pair_prefixes: Tensor,
        pair_candidates: Tensor,
        targets: Tensor,
        correction: Tensor,
        shares: Tensor,
        at_a_time: int,
    ) -> Tensor:
        n_prefixes, n_candidates = len(queries), len(candidates)
        grad_queries = torch.empty_like(queries)
        grad_candidates = torch.zeros_like(candidates)
        grad_biases = torch.zeros_like(biases)
        grad_pairs = torch.zeros_like(pair_scores)
        offsets = biases - correction
        # The products run in the precision of autocast; sums, exponentials and the loss stay in float32.
        precision = _product_precision(queries)
        low_queries, low_candidates = queries.to(precision), candidates.to(precision)
        block = max(1, at_a_time // n_candidates)
        total = biases.new_zeros(())
        for start, pairs in _blocks(n_prefixes, block, pair_prefixes):
            here = slice(start, min(start + block, n_prefixes))
            place = pair_prefixes[pairs] - start
            outside = (place < 0) | (place >= here.stop - start)
            at = (place.clamp(0, here.stop - start - 1), pair_candidates[pairs])
            target, share = targets[here].unsqueeze(1), shares[here].unsqueeze(1)
            logits = torch.mm(low_queries[here], low_candidates.T).to(offsets.dtype).add_(offsets)
            logits.index_put_(at, pair_scores[pairs].masked_fill(outside, 0), accumulate=True)
            logits.scatter_add_(1, target, correction[target])
            highest = logits.amax(1, keepdim=True)
            of_targets = logits.gather(1, target)
            # Unnormalised probabilities: scaling the products instead of these spares a pass over all logits.
            weights = logits.sub_(highest).exp_()
            sums = weights.sum(1, keepdim=True)
            total += (sums.log() + highest - of_targets).masked_fill(share == 0, 0).sum()
            low_weights, scales = weights.to(precision), share / sums
            grad_queries[here] = torch.mm(low_weights, low_candidates) * scales
            scaled = (queries[here] * scales).to(precision)
            if precision == grad_candidates.dtype:
                grad_candidates.addmm_(low_weights.T, scaled)
            else:
                grad_candidates += torch.mm(low_weights.T, scaled)
            grad_biases.addmv_(weights.T, scales.squeeze(1))
            grad_pairs[pairs] += (weights[at] * scales.squeeze(1)[at[0]]).masked_fill(outside, 0)
        # The share of the target's own logit in the gradients.
        grad_queries -= candidates[targets] * shares.unsqueeze(1)
        counted = (queries * shares.unsqueeze(1)).to(grad_candidates.dtype)
        grad_candidates.index_add_(0, targets, counted, alpha=-1)
        grad_biases.index_add_(0, targets, shares, alpha=-1)
        grad_pairs -= (pair_candidates == targets[pair_prefixes]) * shares[pair_prefixes]
        n_counted = shares.sum().clamp(min=1)
        ctx.save_for_backward(grad_queries, grad_candidates, grad_biases, grad_pairs, n_counted)
        return total / n_counted

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        *gradients, n_counted = ctx.saved_tensors
        scale = grad_outputs[0] / n_counted
        return (*(gradient * scale for gradient in gradients), None, None, None, None, None, None)


def _blocks(n_prefixes: int, block: int, pair_prefixes: Tensor) -> list[tuple[int, slice]]:
    """Return each block's first prefix and its pairs; on a GPU all pairs, as finding them means waiting."""
    starts = list(range(0, n_prefixes, block))
    if len(starts) == 1 or pair_prefixes.device.type != "cpu":
        return [(start, slice(None)) for start in starts]
    bounds = torch.searchsorted(pair_prefixes, torch.tensor([*starts, n_prefixes])).tolist()
    return [(start, slice(*bounds[number : number + 2])) for number, start in enumerate(starts)]


def _product_precision(tensor: Tensor) -> torch.dtype:
    """Return autocast's type; older torch (2.0 in the Merlin image) has a function per device for it."""
    if hasattr(torch, "get_autocast_dtype"):
        device = tensor.device.type
        return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype
    if tensor.is_cuda:
        return torch.get_autocast_gpu_dtype() if torch.is_autocast_enabled() else tensor.dtype
    return torch.get_autocast_cpu_dtype() if torch.is_autocast_cpu_enabled() else tensor.dtype
