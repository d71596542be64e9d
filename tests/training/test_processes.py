"""Training in two processes, as torchrun starts them, on gloo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from m2trec_merlin.training.processes import ALONE, join_processes
from tests.worlds.encoded import tiny_sessions, write_sessions

REPOSITORY = Path(__file__).parents[2]

#: Trains the tiny model on a folder of sessions and writes each step's loss; run by torchrun or alone.
PROGRAM = """
import json, os, signal, sys
from pathlib import Path

import torch

from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.processes import join_processes
from m2trec_merlin.training.trainer import Trainer
from tests.worlds.encoded import tiny_catalogue, tiny_config, tiny_sessions

torch.set_num_threads(1)
settings, kill_at = json.loads(sys.argv[1]), int(sys.argv[4])
train, output = Path(sys.argv[2]), Path(sys.argv[3])
config, catalogue = tiny_config(**settings), tiny_catalogue()
# Of the items of a process more may lack what is predicted than of those of another.
catalogue.attributes["category"].values[::3] = 1


class Monitor:
    losses = []

    def start(self, total_steps, progress):
        self.first = progress.step

    def step(self, progress, loss):
        self.losses.append(loss)
        once = output / "killed"
        if progress.step == kill_at and processes.rank == 1 and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def epoch(self, progress):
        pass


with join_processes("cpu") as processes:
    torch.manual_seed(config.seed)
    model, monitor = build_model(config, catalogue), Monitor()
    loader = SessionLoader(train, config.training.batch_size, config.seed, processes=processes)
    held_out, checkpoints = tiny_sessions(seed=2).prefixes(), output / "checkpoints"
    trainer = Trainer(
        model, catalogue, loader, held_out, config.training, checkpoints, "same", monitor, processes
    )
    progress = trainer.train(seed=1)
    weights = {name: tensor.tolist() for name, tensor in model.state_dict().items()}
    result = {
        "losses": monitor.losses, "first": monitor.first, "history": progress.history, "weights": weights
    }
    (output / f"result-{processes.rank}.json").write_text(json.dumps(result))
"""

#: Nothing random in a step, so that one process and two compute the same.
EXACT = {
    "next_item": {"loss": "full", "residual_dropout": 0.0},
    "session": {"dropout": 0.0},
    "model": {"attribute_dropout": 0.0},
}


def run(
    folder: Path, count: int, settings: dict[str, object], kill_at: int = -1
) -> subprocess.CompletedProcess[str]:
    program, train = folder / "program.py", folder / "train"
    if not train.exists():
        write_sessions(train, tiny_sessions(count=64), files=2)
    program.write_text(PROGRAM)
    arguments = [str(program), json.dumps(settings), str(train), str(folder), str(kill_at)]
    launcher = [
        "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}",
        "--monitor-interval=0.2",
    ]  # fmt: skip
    return subprocess.run(
        [sys.executable, *(launcher if count > 1 else []), *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )


def train(folder: Path, count: int, settings: dict[str, object]) -> list[dict]:
    done = run(folder, count, settings)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((folder / f"result-{rank}.json").read_text()) for rank in range(count)]


def assert_same_weights(one: dict, other: dict, tolerance: float) -> None:
    assert one["weights"].keys() == other["weights"].keys()
    for name, values in one["weights"].items():
        torch.testing.assert_close(
            torch.tensor(values), torch.tensor(other["weights"][name]), rtol=tolerance, atol=tolerance
        )


@pytest.mark.slow
def test_two_processes_train_like_one_with_the_double_batch(tmp_path: Path) -> None:
    """Also where their shares hold different numbers of targets: sessions have 2 to 6 events."""
    (alone,) = train(tmp_path / "one", 1, {**EXACT, "training": {"epochs": 2, "batch_size": 16}})
    first, second = train(tmp_path / "two", 2, {**EXACT, "training": {"epochs": 2, "batch_size": 8}})
    assert len(alone["losses"]) == 8
    assert first["losses"] == pytest.approx(alone["losses"], rel=1e-4)
    assert first["losses"] == second["losses"]
    assert_same_weights(first, second, 0)
    assert_same_weights(first, alone, 1e-3)
    for mine, of_one in zip(first["history"], alone["history"], strict=True):
        assert mine["HIT@20"] == pytest.approx(of_one["HIT@20"], abs=0.02)


@pytest.mark.slow
def test_after_one_process_is_killed_the_same_command_goes_on(tmp_path: Path) -> None:
    """With sparse gradients, dropout and sampling on: the losses are those of an undisturbed training."""
    settings = {"training": {"epochs": 2, "batch_size": 8, "checkpoint_steps": 1}}
    undisturbed, _ = train(tmp_path / "undisturbed", 2, settings)
    assert run(tmp_path / "killed", 2, settings, kill_at=3).returncode != 0
    assert (tmp_path / "killed" / "killed").exists()
    killed, other = train(tmp_path / "killed", 2, settings)
    assert killed["first"] in (2, 3), "went on from the newest checkpoint"
    assert killed["losses"] == undisturbed["losses"][killed["first"] :]
    assert_same_weights(killed, undisturbed, 0)
    assert_same_weights(killed, other, 0)


def test_without_torchrun_a_process_is_alone() -> None:
    with join_processes("cpu") as processes:
        assert processes == ALONE
        assert processes.first_says([1.5], torch.device("cpu")) == [1.5]
