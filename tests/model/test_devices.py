"""Nothing of the host gets between the tensors of a GPU, which is pretended."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from m2trec_merlin.evaluation.ranking import rank_items
from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.optimizer import build_optimizer, clip_gradients
from tests.worlds.encoded import tiny_catalogue, tiny_config, tiny_sessions, write_sessions
from tests.worlds.pretended_gpu import PretendedGpu, on_gpu


def test_the_pretended_gpu_refuses_what_a_gpu_refuses() -> None:
    with PretendedGpu() as gpu:
        there, here = torch.ones(3), torch.ones(3)
        gpu.bring(there)
        assert on_gpu(there + 1) and on_gpu(there.new_zeros(2)) and on_gpu(there[torch.tensor([0])])
        assert not on_gpu(here + 1) and not on_gpu(there.cpu())
        with pytest.raises(RuntimeError, match="add: tensors of the device and of the host"):
            there.add(here)
        assert there.device.type == "cuda" and there.is_cuda and here.device.type == "cpu"
        assert (there + torch.tensor(2.0)).sum().item() == 9
        assert gpu.questions == ["item"]


@pytest.mark.parametrize("loss", ["full", "sampled"])
@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
def test_a_step_of_training_stays_on_the_device(mode: str, loss: str, tmp_path: Path) -> None:
    config = tiny_config(session={"mode": mode}, next_item={"loss": loss})
    model = build_model(config, tiny_catalogue())
    loader = SessionLoader(write_sessions(tmp_path / "train", tiny_sessions()), 8, seed=1, device="cuda")
    with PretendedGpu() as gpu:
        gpu.bring(model)
        optimizer = build_optimizer(model, config.training)
        batch = next(loader.batches(0))
        assert on_gpu(batch.rows) and on_gpu(batch.lengths)
        found = model(batch, training=True)["loss"]
        assert on_gpu(found)
        found.backward()
        gpu.bring(*(p.grad for p in model.parameters() if p.grad is not None))
        clip_gradients(model.parameters(), 1.0)
        optimizer.step()
    # Sizes that only the device knows, such as how many candidates were drawn twice; never a loss.
    sizes = {"nonzero", "unique", "__int__", "__bool__"}
    assert set(gpu.questions) <= (sizes if mode == "causal" else {*sizes, "repeat_interleave"})


@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
def test_ranking_stays_on_the_device(mode: str) -> None:
    model = build_model(tiny_config(session={"mode": mode}), tiny_catalogue())
    prefixes = tiny_sessions().prefixes()
    with PretendedGpu() as gpu:
        gpu.bring(model)
        scores = ModelScorer(model).score_tensor(prefixes)
        assert on_gpu(scores)
        assert len(rank_items(scores, prefixes, (5, 20)).target) == len(prefixes)
