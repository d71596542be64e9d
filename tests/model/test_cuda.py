"""The same model on a GPU: equal losses, gradients and scores within float tolerance."""

import numpy as np
import pytest
import torch

from m2trec_merlin.model.m2trec import M2TRec, build_model
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.sessions import Sessions
from tests.worlds.encoded import tiny_catalogue, tiny_config

pytestmark = pytest.mark.gpu

ROWS = torch.tensor([[1, 2, 3, 0], [5, 4, 5, 24], [7, 8, 0, 0]])
PREFIXES = Sessions.from_lists([[1, 2, 3], [5, 4, 5, 24, 30], list(range(1, 13))]).prefixes()


def model(device: str) -> M2TRec:
    torch.manual_seed(0)
    # Everything a candidate and nothing dropped: the two devices draw different random numbers.
    config = tiny_config(
        next_item={"loss": "full", "residual_dropout": 0.0},
        session={"dropout": 0.0},
        model={"attribute_dropout": 0.0},
    )
    return build_model(config, tiny_catalogue()).to(device)


def test_losses_and_gradients_equal_those_of_the_cpu() -> None:
    gradients = {}
    for device in ("cpu", "cuda"):
        tested = model(device)
        tested({"row": ROWS.to(device)}, training=True)["loss"].backward()
        gradients[device] = {n: p.grad.cpu() for n, p in tested.named_parameters() if p.grad is not None}
    assert gradients["cpu"].keys() == gradients["cuda"].keys()
    for name, gradient in gradients["cpu"].items():
        torch.testing.assert_close(gradient, gradients["cuda"][name], rtol=1e-3, atol=1e-4)


def test_scores_equal_those_of_the_cpu() -> None:
    on_cpu, on_gpu = (ModelScorer(model(device)).score(PREFIXES) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(on_cpu, on_gpu, rtol=1e-3, atol=1e-3)
