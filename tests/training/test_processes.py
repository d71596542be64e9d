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

#: Trains the tiny model, for each folder and settings anew, and writes each step's loss.
PROGRAM = """
import json, os, signal, sys
from pathlib import Path

import torch

from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.training.checkpoint import Checkpoints
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.processes import join_processes
from m2trec_merlin.training.trainer import Trainer
from tests.worlds.encoded import tiny_catalogue, tiny_config, tiny_sessions

torch.set_num_threads(1)
sessions, kill_at = Path(sys.argv[2]), int(sys.argv[3])


class Monitor:
    def __init__(self, output):
        self.losses, self.once = [], output / "killed"

    def start(self, total_steps, progress):
        self.first = progress.step

    def step(self, progress, loss):
        self.losses.append(loss)
        if progress.step == kill_at and processes.rank == 1 and not self.once.exists():
            self.once.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def epoch(self, progress):
        pass


def train(settings, output):
    config, catalogue = tiny_config(**settings), tiny_catalogue()
    # Of the items of a process more may lack what is predicted than of those of another.
    catalogue.attributes["category"].values[::3] = 1
    torch.manual_seed(config.seed)
    model, monitor = build_model(config, catalogue), Monitor(output)
    loader = SessionLoader(sessions, config.training.batch_size, config.seed, processes=processes)
    held_out = tiny_sessions(seed=2).prefixes()
    checkpoints = Checkpoints(output / "checkpoints", "same")
    trainer = Trainer(model, catalogue, loader, held_out, config.training, checkpoints, monitor, processes)
    progress = trainer.train(seed=1)
    weights = {name: tensor.tolist() for name, tensor in model.state_dict().items()}
    result = {
        "losses": monitor.losses, "first": monitor.first, "history": progress.history, "weights": weights
    }
    (output / f"result-{processes.rank}.json").write_text(json.dumps(result))


with join_processes("cpu") as processes:
    for output, settings in json.loads(sys.argv[1]).items():
        train(settings, Path(output))
"""

#: Nothing random in a step, so that one process and two compute the same.
EXACT = {
    "next_item": {"loss": "full", "residual_dropout": 0.0},
    "session": {"dropout": 0.0},
    "model": {"attribute_dropout": 0.0},
}
#: With sparse gradients, dropout and sampling on.
RANDOM = {"training": {"epochs": 2, "batch_size": 8, "checkpoint_steps": 1}}


def run(
    count: int, trainings: dict[Path, dict[str, object]], kill_at: int = -1
) -> subprocess.CompletedProcess[str]:
    """Train in so many processes, one model after the other."""
    folder = min(trainings).parent
    program, sessions = folder / "program.py", folder / "train"
    if not sessions.exists():
        write_sessions(sessions, tiny_sessions(count=64), files=2)
    program.write_text(PROGRAM)
    for output in trainings:
        output.mkdir(exist_ok=True)
    asked = json.dumps({str(output): settings for output, settings in trainings.items()})
    launcher = [
        "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}",
        "--monitor-interval=0.2",
    ]  # fmt: skip
    return subprocess.run(
        [sys.executable, *(launcher if count > 1 else []), str(program), asked, str(sessions), str(kill_at)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )


def results(folder: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("result-*.json"))]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of three trainings: of one process, of two with half of its batch each, and of two."""
    folder = tmp_path_factory.mktemp("trained")
    one = {folder / "one": {**EXACT, "training": {"epochs": 2, "batch_size": 16}}}
    two = {folder / "two": {**EXACT, "training": {"epochs": 2, "batch_size": 8}}}
    for count, trainings in ((1, one), (2, {**two, folder / "undisturbed": RANDOM})):
        done = run(count, trainings)
        assert done.returncode == 0, done.stderr[-3000:]
    return folder


def assert_same_weights(one: dict, other: dict, tolerance: float) -> None:
    assert one["weights"].keys() == other["weights"].keys()
    for name, values in one["weights"].items():
        torch.testing.assert_close(
            torch.tensor(values), torch.tensor(other["weights"][name]), rtol=tolerance, atol=tolerance
        )


@pytest.mark.slow
def test_two_processes_train_like_one_with_the_double_batch(trained: Path) -> None:
    """Also where their shares hold different numbers of targets: sessions have 2 to 6 events."""
    (alone,) = results(trained / "one")
    first, second = results(trained / "two")
    assert len(alone["losses"]) == 8
    assert first["losses"] == pytest.approx(alone["losses"], rel=1e-4)
    assert first["losses"] == second["losses"]
    assert_same_weights(first, second, 0)
    assert_same_weights(first, alone, 1e-3)
    for mine, of_one in zip(first["history"], alone["history"], strict=True):
        assert mine["HIT@20"] == pytest.approx(of_one["HIT@20"], abs=0.02)


@pytest.mark.slow
def test_after_one_process_is_killed_the_same_command_goes_on(trained: Path, tmp_path: Path) -> None:
    """The losses are those of an undisturbed training."""
    undisturbed, _ = results(trained / "undisturbed")
    folder = tmp_path / "disturbed"
    assert run(2, {folder: RANDOM}, kill_at=3).returncode != 0
    assert (folder / "killed").exists() and not results(folder)
    done = run(2, {folder: RANDOM}, kill_at=3)
    assert done.returncode == 0, done.stderr[-3000:]
    killed, other = results(folder)
    assert killed["first"] in (2, 3), "went on from the newest checkpoint"
    assert killed["losses"] == undisturbed["losses"][killed["first"] :]
    assert_same_weights(killed, undisturbed, 0)
    assert_same_weights(killed, other, 0)


def test_without_torchrun_a_process_is_alone() -> None:
    with join_processes("cpu") as processes:
        assert processes == ALONE
        assert processes.first_says([1.5], torch.device("cpu")) == [1.5]
