"""How many sessions a step takes where nobody says it."""

from __future__ import annotations

import pytest

from m2trec_merlin.config.training import TrainingConfig


@pytest.mark.parametrize(
    ("sessions", "processes", "size"),
    [
        (1, 1, 32),
        (2_737, 1, 32),
        (22_363, 1, 32),
        (37_195, 1, 64),
        (54_000, 1, 128),
        (104_000, 1, 256),
        (10_000_000, 1, 256),
        (104_000, 4, 64),
        (100, 64, 1),
    ],
)
def test_an_epoch_has_hundreds_of_steps(sessions: int, processes: int, size: int) -> None:
    assert TrainingConfig().batch_of(sessions, processes) == size


def test_what_is_configured_is_taken() -> None:
    assert TrainingConfig(batch_size=7).batch_of(10_000_000, 3) == 7
