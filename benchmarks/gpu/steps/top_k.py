"""Find the best 20 of a million and of ten million items for 256 sessions by exact products."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from benchmarks.gpu.step import Step
from m2trec_merlin.evaluation.top import top

SESSIONS, WIDTH, BEST = 256, 128, 20
#: Items scored at a time; a block of scores is 256 MiB in float32.
BLOCK = 1 << 18


def main(step: Step) -> None:
    """Search among random vectors."""
    for n_items in (1_000, 10_000) if step.rehearsal else (1_000_000, 10_000_000):
        for kind in (torch.float32, torch.bfloat16):
            of = {"items": n_items, "kind": str(kind)}
            step.attempt("search", lambda: measure(step, n_items, kind, of))  # noqa: B023


def measure(step: Step, n_items: int, kind: torch.dtype, of: Mapping[str, object]) -> None:
    """Time one search for all sessions together."""
    torch.manual_seed(0)
    vectors = torch.randn(n_items, WIDTH, device=step.device, dtype=kind)
    queries = torch.randn(SESSIONS, WIDTH, device=step.device, dtype=kind)
    block = 256 if step.rehearsal else BLOCK
    values, _ = top_of_products(queries, vectors, BEST, block)
    expected = (queries[:4] @ vectors.T).float().topk(BEST).values
    torch.testing.assert_close(values[:4].float(), expected, rtol=0.02, atol=0.02)
    seconds = step.seconds(lambda: top_of_products(queries, vectors, BEST, block))
    step.add("top-20", round(seconds, 5), "s", sessions=SESSIONS, width=WIDTH, **of)


def top_of_products(queries: Tensor, vectors: Tensor, count: int, block: int) -> tuple[Tensor, Tensor]:
    """Return the highest products of queries and vectors, and the rows of these vectors, block by block.

    Args:
        queries: the queries [P, D].
        vectors: the vectors [R, D].
        count: number of products per query, K, at most R.
        block: number of vectors multiplied at a time, which bounds memory.
    """
    parts = []
    for begin in range(0, len(vectors), block):
        values, rows = top(queries @ vectors[begin : begin + block].T, count)
        parts.append((values, rows + begin))
    values, rows = (torch.cat(found, dim=1) for found in zip(*parts, strict=True))
    best = values.topk(count, dim=1)
    return best.values, rows.gather(1, best.indices)


if __name__ == "__main__":
    main(Step.of())
