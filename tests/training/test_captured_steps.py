"""Steps that are captured once for each shape of a batch have the losses of those that are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.model.session_batch import SessionBatch, count_pairs
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.training.captured_steps import CapturedSteps, cannot_capture, filled_up
from m2trec_merlin.training.processes import ALONE
from tests.worlds.encoded import tiny_catalogue, tiny_config, tiny_sessions, write_sessions
from tests.worlds.training_steps import Steps, without_chance

CUDA = torch.device("cuda")


def batch_of(lengths: list[int]) -> SessionBatch:
    return SessionBatch.of(Sessions.from_lists([list(range(1, n + 1)) for n in lengths]))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30).filter(lambda lengths: max(lengths) > 1))
def test_a_batch_is_filled_up_with_sessions_of_unknown_items(lengths: list[int]) -> None:
    batch = batch_of(lengths)
    filled = filled_up(batch, 9)
    assert filled.rows[: len(batch.rows)].tolist() == batch.rows.tolist()
    assert set(filled.rows[len(batch.rows) :].tolist()) <= {NO_ITEM}
    assert filled.lengths[: len(lengths)].tolist() == lengths
    assert int(filled.lengths.sum()) == len(filled.rows) and len(filled.rows) % len(lengths) == 0
    assert int(filled.lengths.min()) >= 1 and int(filled.lengths.max()) <= filled.longest
    assert filled.longest == min(n for n in (2, 4, 8, 9) if n >= batch.longest)
    pairs = count_pairs(filled.lengths.numpy())
    assert filled.n_pairs is not None and pairs <= filled.n_pairs <= 1.25 * pairs + 1


def test_batches_have_few_shapes() -> None:
    random = torch.Generator().manual_seed(0)
    shapes = set()
    for _ in range(200):
        lengths = torch.randint(2, 20, (64,), generator=random).tolist()
        filled = filled_up(batch_of(lengths), 19)
        shapes.add((len(filled.rows), len(filled.lengths), filled.longest, filled.n_pairs))
    assert len(shapes) <= 8


class Replays:
    """Stands in for CUDA graphs: what was captured is done again, on the tensors it was captured with."""

    def __init__(self) -> None:
        self.captured = self.replayed = 0

    def __call__(self, step: Callable[[], Tensor]) -> Callable[[], Tensor]:
        self.captured += 1

        def again() -> Tensor:
            self.replayed += 1
            return step()

        return again


@pytest.mark.parametrize("loss", ["full", "sampled"])
def test_captured_steps_have_the_losses_and_weights_of_others(loss: str, tmp_path: Path) -> None:
    config, count = without_chance("causal", loss), 15
    folder = write_sessions(tmp_path / "train", tiny_sessions())
    replays = Replays()
    plain = Steps(config, folder, pretends=False, count=count)
    captured = Steps(
        config, folder, pretends=True, count=count, wrapped=lambda step: CapturedSteps(step, 6, replays)
    )
    assert replays.captured < replays.replayed > count / 2
    assert captured.losses == pytest.approx(plain.losses, rel=1e-3)
    for (name, expected), found in zip(
        plain.model.named_parameters(), captured.model.parameters(), strict=True
    ):
        torch.testing.assert_close(found.as_subclass(Tensor), expected, rtol=0.02, atol=2e-3, msg=name)
    assert captured.asking.questions == [] and captured.brought == []


def test_why_steps_are_not_captured() -> None:
    model = build_model(tiny_config(), tiny_catalogue())
    assert cannot_capture(model, CUDA, ALONE) is None
    assert cannot_capture(model, torch.device("cpu"), ALONE) == "training is not on a GPU"
    assert cannot_capture(model, CUDA, replace(ALONE, count=2)) == "several processes train together"
    assert "attributes" in str(cannot_capture(model, CUDA, ALONE, says_more=True))
    paper = build_model(tiny_config(session={"mode": "bidirectional"}), tiny_catalogue())
    assert cannot_capture(paper, CUDA, ALONE) == "model.session.mode is not causal"
    model.body.inputs.catalogue.ragged.append("tags")
    assert "'tags'" in str(cannot_capture(model, CUDA, ALONE))
