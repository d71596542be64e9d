import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from m2trec_merlin.model.losses import candidate_cross_entropy


def arguments(prefixes: int = 7, candidates: int = 5, width: int = 3) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random, dtype=torch.float64, requires_grad=True)

    return {
        "queries": normal(prefixes, width),
        "candidates": normal(candidates, width),
        "biases": normal(candidates),
        "targets": torch.randint(candidates, (prefixes,), generator=random),
        "pair_prefixes": torch.tensor([0, 0, 2, 5, 6, 6]),
        "pair_candidates": torch.tensor([1, 2, 0, 4, 3, 3]),
        "pair_scores": normal(6),
    }


def plain(log_inclusion: Tensor | None = None, **a: Tensor) -> Tensor:
    """The definition, with all logits in memory and autograd's gradients."""
    logits = a["queries"] @ a["candidates"].T + a["biases"]
    logits = logits.index_put((a["pair_prefixes"], a["pair_candidates"]), a["pair_scores"], accumulate=True)
    if log_inclusion is not None:
        is_target = F.one_hot(a["targets"], logits.shape[1]).bool()
        logits = torch.where(is_target, logits, logits - log_inclusion)
    return F.cross_entropy(logits, a["targets"])


@pytest.mark.parametrize("at_a_time", [1, 11, None])
@pytest.mark.parametrize("sampled", [False, True])
def test_equals_plain_cross_entropy_with_its_gradients(at_a_time: int | None, sampled: bool) -> None:
    a = arguments()
    log_inclusion = torch.linspace(-2, 0, 5, dtype=torch.float64) if sampled else None
    expected = plain(log_inclusion, **a)
    found = candidate_cross_entropy(**a, log_inclusion=log_inclusion, at_a_time=at_a_time)
    assert found.item() == pytest.approx(expected.item())
    leaves = [a[name] for name in ("queries", "candidates", "biases", "pair_scores")]
    for mine, autograd in zip(
        torch.autograd.grad(found * 3, leaves), torch.autograd.grad(expected * 3, leaves), strict=True
    ):
        torch.testing.assert_close(mine, autograd)


def test_known_value() -> None:
    """One prefix, two candidates at equal scores: the loss is log 2, and a bias of log 3 makes it log 4."""
    a = {
        "queries": torch.zeros(1, 2),
        "candidates": torch.zeros(2, 2),
        "targets": torch.tensor([0]),
        "pair_prefixes": torch.empty(0, dtype=torch.long),
        "pair_candidates": torch.empty(0, dtype=torch.long),
        "pair_scores": torch.empty(0),
    }
    equal, biased = torch.zeros(2), torch.tensor([0.0, math.log(3)])
    assert candidate_cross_entropy(biases=equal, **a).item() == pytest.approx(math.log(2))
    assert candidate_cross_entropy(biases=biased, **a).item() == pytest.approx(math.log(4))


def test_inclusion_probabilities_make_the_normaliser_unbiased() -> None:
    """Averaged over samples, the estimated sum over items is the true one (Horvitz-Thompson)."""
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(50, generator=random)
    inclusion = torch.rand(50, generator=random) * 0.8 + 0.2
    truth = scores.exp().sum()
    estimates = []
    for _ in range(4000):
        drawn = torch.rand(50, generator=random) < inclusion
        drawn[0] = True  # the target always is a candidate
        rows = drawn.nonzero().squeeze(1)
        loss = candidate_cross_entropy(
            torch.zeros(1, 1),
            torch.zeros(len(rows), 1),
            scores[rows],
            torch.tensor([0]),
            torch.empty(0, dtype=torch.long),
            torch.empty(0, dtype=torch.long),
            torch.empty(0),
            log_inclusion=inclusion[rows].log(),
        )
        estimates.append((loss + scores[0]).exp())
    assert torch.stack(estimates).mean().item() == pytest.approx(truth.item(), rel=0.01)


def test_runs_in_lower_precision_under_autocast() -> None:
    a = {k: v.float() if v.is_floating_point() else v for k, v in arguments().items()}
    exact = candidate_cross_entropy(**a)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = candidate_cross_entropy(**a)
    assert low.dtype == torch.float32
    assert low.item() == pytest.approx(exact.item(), rel=0.02)


@pytest.mark.parametrize("low", [["queries"], ["queries", "candidates"]])
def test_takes_what_layers_return_under_autocast(low: list[str]) -> None:
    """Session vectors come in bfloat16, item vectors in either: gradients are those of float32, roughly."""
    leaves = ("queries", "candidates", "biases", "pair_scores")
    a = {k: v.detach().float() if v.is_floating_point() else v for k, v in arguments().items()}
    exact = {k: v.clone().requires_grad_() if k in leaves else v for k, v in a.items()}
    rough = {k: v.bfloat16() if k in low else v.clone() for k, v in a.items()}
    rough = {k: v.requires_grad_() if k in leaves else v for k, v in rough.items()}
    candidate_cross_entropy(**exact).backward()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        candidate_cross_entropy(**rough).backward()
    for name in leaves:
        assert rough[name].grad.dtype == rough[name].dtype
        torch.testing.assert_close(rough[name].grad.float(), exact[name].grad, rtol=0.05, atol=0.01)
