"""The highest scores of each line, without sorting it.

Shape legend: P lines, R columns, K highest scores.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Number of columns in a group: small, for little work after the one pass over the scores.
_GROUP = 64


def top(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the highest scores of each line, descending, and their columns; ties are broken arbitrarily.

    They lie in the groups of columns with the highest maxima, which take one pass over the scores;
    `torch.topk` takes several.

    Args:
        scores: the scores, [P, R], on any device.
        count: K; fewer are returned if R is less.

    Returns:
        The scores, [P, K], and their columns, int64 [P, K].
    """
    kept, n_groups = min(count, scores.shape[1]), scores.shape[1] // _GROUP
    if 2 * kept > n_groups:
        best = scores.topk(kept, dim=1)
        return best.values, best.indices
    in_groups = n_groups * _GROUP
    maxima = scores[:, :in_groups].unflatten(1, (n_groups, _GROUP)).amax(2)
    groups = maxima.topk(kept, dim=1).indices.unsqueeze(2)
    columns = (groups * _GROUP + torch.arange(_GROUP, device=scores.device)).flatten(1)
    rest = torch.arange(in_groups, scores.shape[1], device=scores.device).expand(len(scores), -1)
    columns = torch.cat([columns, rest], dim=1)
    best = scores.gather(1, columns).topk(kept, dim=1)
    return best.values, columns.gather(1, best.indices)
