"""Training on a GPU: the losses of a CPU within tolerance, sessions and catalogue on the device."""

from pathlib import Path

import pytest
import torch

from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.training.checkpoint import Checkpoints, TrainingState
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.optimizer import build_optimizer, clip_gradients
from m2trec_merlin.training.trainer import Trainer
from tests.worlds.encoded import tiny_catalogue, tiny_config, tiny_sessions, write_sessions

pytestmark = pytest.mark.gpu


class Losses(list[float]):
    def start(self, total_steps: int, state: TrainingState) -> None:
        pass

    def step(self, state: TrainingState, loss: float) -> None:
        self.append(loss)

    def epoch(self, state: TrainingState) -> None:
        pass

    def close(self) -> None:
        pass


def train(tmp_path: Path, device: str, precision: str, captured: bool = False) -> tuple[Losses, Trainer]:
    # Everything a candidate and nothing dropped: the two devices draw different random numbers.
    config = tiny_config(
        next_item={"loss": "full", "residual_dropout": 0.0},
        session={"dropout": 0.0},
        model={"attribute_dropout": 0.0},
        training={"epochs": 3, "precision": precision, "device": device},
    )
    torch.manual_seed(0)
    model, losses = build_model(config, tiny_catalogue()).to(device), Losses()
    folder = tmp_path / f"{device}-{precision}"
    sessions = write_sessions(folder / "train", tiny_sessions())
    loader = SessionLoader(sessions, config.training.batch_size, seed=1, device=device)
    validation = tiny_sessions(seed=2).prefixes()
    trainer = Trainer(
        model,
        tiny_catalogue(),
        loader,
        validation,
        config.training,
        Checkpoints(folder / "checkpoints", "same"),
        losses,
        captured=captured,
    )
    trainer.train(seed=1)
    return losses, trainer


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-3), ("bfloat16", 3e-2)])
def test_losses_are_those_of_the_cpu(tmp_path: Path, precision: str, tolerance: float) -> None:
    on_cpu, _ = train(tmp_path, "cpu", "float32")
    on_gpu, _ = train(tmp_path, "cuda", precision)
    assert on_gpu == pytest.approx(on_cpu, rel=tolerance)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-3), ("bfloat16", 3e-2)])
def test_losses_of_cuda_graphs_are_those_of_the_cpu(tmp_path: Path, precision: str, tolerance: float) -> None:
    on_cpu, _ = train(tmp_path, "cpu", "float32")
    captured, _ = train(tmp_path, "cuda", precision, captured=True)
    assert captured == pytest.approx(on_cpu, rel=tolerance)


@pytest.mark.parametrize("loss", ["full", "sampled"])
@pytest.mark.parametrize("mode", ["causal", "bidirectional"])
def test_a_step_waits_for_nothing(tmp_path: Path, mode: str, loss: str) -> None:
    """CUDA itself says what waits; `tests/model/test_devices.py` has what torch says of that on a CPU."""
    config = tiny_config(session={"mode": mode}, next_item={"loss": loss})
    model = build_model(config, tiny_catalogue()).to("cuda")
    optimizer = build_optimizer(model, config.training)
    loader = SessionLoader(write_sessions(tmp_path / "train", tiny_sessions()), 8, seed=1, device="cuda")
    before = torch.cuda.get_sync_debug_mode()
    try:
        # The first one makes what later ones find; the order of the epoch is brought there with it, too.
        for batch in loader.batches(0):
            found = model(batch, training=True)["loss"]
            optimizer.zero_grad()
            found.backward()
            clip_gradients(model.parameters(), 1.0)
            optimizer.step()
            torch.cuda.set_sync_debug_mode("error")
    finally:
        torch.cuda.set_sync_debug_mode(before)


def test_sessions_and_catalogue_stay_on_the_gpu(tmp_path: Path) -> None:
    _, trainer = train(tmp_path, "cuda", "bfloat16")
    assert all(batch.rows.is_cuda and batch.lengths.is_cuda for batch in trainer.loader.batches(0))
    assert all(buffer.is_cuda for buffer in trainer.model.buffers())
