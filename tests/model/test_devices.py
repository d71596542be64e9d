"""Nothing of the host gets between the tensors of a GPU, which is pretended, and nothing waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.evaluation.ranking import rank_categories, rank_items
from m2trec_merlin.model import losses
from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.sessions import Sessions
from tests.worlds.asking_the_device import AskingTheDevice
from tests.worlds.encoded import tiny_catalogue, tiny_config, tiny_sessions, write_sessions
from tests.worlds.pretended_gpu import PretendedGpu, on_gpu
from tests.worlds.training_steps import Steps, without_chance


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


def test_what_waits_is_noticed_wherever_torch_does_it() -> None:
    table = torch.nn.Embedding(4, 2, padding_idx=0, sparse=True)
    values, rows = torch.ones(3), torch.tensor([0, 1, 1])
    with AskingTheDevice() as asking:
        values[rows], values.cumsum(0), torch.repeat_interleave(rows, rows, output_size=2)
        assert asking.questions == []
        values[values > 0], values.sum().item(), rows.unique(), torch.repeat_interleave(rows, rows)
        # The one of a library: it takes the padding out of the gradient.
        table(rows).sum().backward()
        assert table.weight.grad is not None
        table.weight.grad.coalesce()
    waited = ["index.Tensor", "_local_scalar_dense", "_unique2", "repeat_interleave.Tensor", "index.Tensor"]
    assert set(asking.questions) == {f"aten::{name}" for name in [*waited, "_coalesce"]}
    assert asking.launched > len(asking.questions)


@pytest.mark.parametrize("loss", ["full", "sampled"])
@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
def test_a_step_of_training_waits_for_nothing(mode: str, loss: str, tmp_path: Path) -> None:
    config = tiny_config(session={"mode": mode}, next_item={"loss": loss})
    folder = write_sessions(tmp_path / "train", tiny_sessions())
    steps = Steps(config, folder, pretends=True)
    assert steps.asking.questions == [] and steps.brought == []


def test_a_step_with_ids_on_the_input_waits_for_nothing(tmp_path: Path) -> None:
    config = tiny_config(model={"inputs": ["item_id", "category"], "near_items": 3, "id_dropout": 0.1})
    steps = Steps(config, write_sessions(tmp_path / "train", tiny_sessions()), pretends=True)
    assert steps.asking.questions == [] and steps.brought == []


@pytest.mark.parametrize("loss", ["full", "sampled"])
@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
@pytest.mark.parametrize("logits", [None, 40])
def test_what_waits_for_nothing_has_the_losses_and_weights_of_the_cpu(
    mode: str, loss: str, logits: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that repeat, lists that are filled up and targets that are none make no difference."""
    if logits:
        monkeypatch.setattr(losses, "LOGITS_AT_A_TIME_ON_GPU", logits)
    unknown = [[NO_ITEM, NO_ITEM, 5], [3, NO_ITEM, 3, 4], [NO_ITEM, NO_ITEM], [7, NO_ITEM]]
    sessions = [*unknown, *(tiny_sessions(12)[index].tolist() for index in range(12))]
    folder = write_sessions(tmp_path / "train", Sessions.from_lists(sessions))
    config = without_chance(mode, loss)
    ours, there = Steps(config, folder, pretends=False), Steps(config, folder, pretends=True)
    assert there.losses == pytest.approx(ours.losses, rel=1e-5)
    for (name, expected), found in zip(ours.model.named_parameters(), there.model.parameters(), strict=True):
        torch.testing.assert_close(found.as_subclass(Tensor), expected, rtol=2e-3, atol=2e-4, msg=name)


@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
def test_ranking_stays_on_the_device(mode: str) -> None:
    model = build_model(tiny_config(session={"mode": mode}), tiny_catalogue())
    prefixes = tiny_sessions().prefixes()
    with PretendedGpu() as gpu:
        gpu.bring(model)
        scores = ModelScorer(model).score_tensor(prefixes)
        assert on_gpu(scores)
        assert len(rank_items(scores, prefixes, (5, 20)).target) == len(prefixes)
        logits = ModelScorer(model).category_tensors(prefixes)["category"]
        assert on_gpu(logits)
        truth = tiny_catalogue().attributes["category"].take(prefixes.targets)
        ranks = rank_categories(logits, truth)
    assert ranks.tolist() == rank_categories(logits.as_subclass(Tensor).numpy(), truth).tolist()
