"""Runners of other libraries learn, and hand lists back in our rows: on sessions with one right answer."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.runners.environments import FOLDER, python_of
from benchmarks.runners.exchange import Exchange, Flat, Job
from benchmarks.runners.process import train
from benchmarks.training.systems import SYSTEMS, System
from experiments.paper.cells import RECBOLE
from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.config import Config

MAX_LENGTH = 20
OTHERS = (
    "Transformers4Rec, full softmax",
    "RecTools eSASRec",
    "RePlay SasRec",
    "RecBole GRU4Rec",
)
CONFIG = Config(name="rounds", attributes=[parse_attribute(name="category", kind="categorical")])

#: Sixty items in a circle, scattered over a catalogue of 119.
CIRCLE = np.array([7 * i % 101 + 1 for i in range(1, 61)])


def walks(count: int, longest: int, seed: int) -> tuple[Flat, np.ndarray]:
    """Sessions that go round the circle from anywhere, and the item that each would come to next."""
    random = np.random.default_rng(seed)
    lengths, starts = random.integers(2, longest, count), random.integers(0, len(CIRCLE), count)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    steps = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    rows = CIRCLE[(np.repeat(starts, lengths) + steps) % len(CIRCLE)]
    return Flat(rows, offsets), CIRCLE[(starts + lengths) % len(CIRCLE)]


#: The further models of RecBole, and the loss, that `python -m experiments paper` asks for.
PAPER = [
    System(
        f"RecBole {model}",
        "run_recbole",
        "recbole",
        lambda config, model=model: {"width": config.model.width, "model": model, "negatives": 40},
        "",
    )
    for model in RECBOLE
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "system",
    [*(s for s in SYSTEMS if s.name in OTHERS), *PAPER],
    ids=lambda s: s.slug + ("_sampled" if s in PAPER else ""),
)
def test_finds_the_only_right_answer(system: System, tmp_path: Path) -> None:
    if system.environment and not (FOLDER / system.environment).is_dir():
        pytest.skip(
            f"the environment '{system.environment}' is not made: python -m benchmarks training makes it"
        )
    sessions, _ = walks(800, 9, seed=1)
    prefixes, targets = walks(300, 25, seed=2)
    Exchange(sessions, prefixes.last(MAX_LENGTH)).save(tmp_path / "data.npz")
    settings = {**system.settings(CONFIG), "batch_size": 32, "max_n_samples": 40}
    settings["negatives"] = 40
    settings["epochs"] = 8 if system in PAPER else 3
    job = Job(str(tmp_path / "data.npz"), "", str(tmp_path), MAX_LENGTH, 120, 120.0, 120.0, 1, 42, settings)
    job.save(tmp_path / "job.json")

    def first_is_right(lists: np.ndarray) -> tuple[float, float]:
        assert lists.shape == (300, 100)
        np.testing.assert_array_equal(np.sort(lists[:, :60]), np.tile(np.sort(CIRCLE), (300, 1)))
        right = float((lists[:, 0] == targets).mean())
        return right, right

    trained = train(
        system.name,
        [
            str(python_of(system.environment)),
            "-m",
            f"benchmarks.runners.{system.runner}",
            f"{tmp_path}/job.json",
        ],
        tmp_path,
        first_is_right,
        commit="abc1234",
        threads=1,
        report=lambda look: None,
    )
    assert max(look.hit for look in trained.looks) > 0.9
    assert trained.looks[0].sessions == pytest.approx(800)
    assert trained.looks[0].targets == pytest.approx((sessions.lengths - 1).sum())
