"""Nothing of the host gets between the tensors of a GPU, which is pretended, and nothing waits for it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from torch import Tensor

from m2trec_merlin.config import Config
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.evaluation.ranking import rank_items
from m2trec_merlin.model import losses
from m2trec_merlin.model.m2trec import build_model, fit_before_training
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.optimizer import build_optimizer, clip_gradients
from tests.worlds.asking_the_device import AskingTheDevice
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


class _Steps:
    """Two steps of training, on the CPU or on a pretended GPU."""

    def __init__(self, config: Config, folder: Path, pretends: bool) -> None:
        torch.manual_seed(0)
        catalogue = tiny_catalogue()
        self.model = build_model(config, catalogue)
        fit_before_training(self.model, catalogue)
        self.losses: list[float] = []
        loader = SessionLoader(folder, 8, seed=1, device="cuda" if pretends else "cpu")
        with ExitStack() as stack:
            self.gpu = stack.enter_context(PretendedGpu()) if pretends else PretendedGpu()
            if pretends:
                self.gpu.bring(self.model)
            optimizer = build_optimizer(self.model, config.training)
            batches = loader.batches(0)
            for _ in range(2):
                torch.manual_seed(1)
                # The device has to have the order of an epoch, and is waited for once in it.
                self.asking = stack.enter_context(AskingTheDevice()) if self.losses else AskingTheDevice()
                loss: Tensor = self.model(next(batches), training=True)["loss"]
                assert on_gpu(loss) == pretends
                optimizer.zero_grad()
                loss.backward()
                parameters = list(self.model.parameters())
                if pretends:
                    self.gpu.bring(*(p.grad for p in parameters if p.grad is not None))
                clip_gradients(parameters, 1.0)
                optimizer.step()
                self.losses.append(loss.as_subclass(Tensor).detach().numpy().item())


def _without_chance(mode: str, loss: str) -> Config:
    return tiny_config(
        next_item={"loss": loss, "residual_dropout": 0.0},
        session={"dropout": 0.0, "mode": mode},
        model={"attribute_dropout": 0.0},
    )


@pytest.mark.parametrize("loss", ["full", "sampled"])
@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
def test_a_step_of_training_waits_for_nothing(mode: str, loss: str, tmp_path: Path) -> None:
    config = tiny_config(session={"mode": mode}, next_item={"loss": loss})
    folder = write_sessions(tmp_path / "train", tiny_sessions())
    assert _Steps(config, folder, pretends=True).asking.questions == []


@pytest.mark.parametrize("loss", ["full", "sampled"])
@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
@pytest.mark.parametrize("logits", [None, 40])
def test_what_waits_for_nothing_has_the_losses_and_weights_of_the_cpu(
    mode: str, loss: str, logits: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that repeat, lists that are filled up and targets that are none make no difference."""
    if logits:
        monkeypatch.setattr(losses, "LOGITS_AT_A_TIME", logits)
        monkeypatch.setattr(losses, "LOGITS_AT_A_TIME_ON_GPU", logits)
    unknown = [[NO_ITEM, NO_ITEM, 5], [3, NO_ITEM, 3, 4], [NO_ITEM, NO_ITEM], [7, NO_ITEM]]
    sessions = [*unknown, *(tiny_sessions(12)[index].tolist() for index in range(12))]
    folder = write_sessions(tmp_path / "train", Sessions.from_lists(sessions))
    config = _without_chance(mode, loss)
    ours, there = _Steps(config, folder, pretends=False), _Steps(config, folder, pretends=True)
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
