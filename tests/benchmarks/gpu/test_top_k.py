"""Products in blocks have the best of all."""

from __future__ import annotations

import pytest
import torch

from benchmarks.gpu.steps.top_k import top_of_products


@pytest.mark.parametrize("block", [25, 1_000, 10_000])
def test_products_in_blocks(block: int) -> None:
    torch.manual_seed(0)
    queries, vectors = torch.randn(5, 8), torch.randn(2_510, 8)
    values, rows = top_of_products(queries, vectors, 20, block)
    expected = (queries @ vectors.T).topk(20, dim=1)
    torch.testing.assert_close(values, expected.values)
    assert torch.equal(rows, expected.indices)
