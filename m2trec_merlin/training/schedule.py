"""The learning rate over time."""

from __future__ import annotations

import math

from m2trec_merlin.config import TrainingConfig


def learning_rate(step: int, total_steps: int, config: TrainingConfig) -> float:
    """Return the learning rate of a step: linear warm-up, then a cosine to zero, or constant.

    Args:
        step: from 0.
        total_steps: of all epochs.
        config: peak, warm-up steps and schedule.
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    span = max(1, total_steps - config.warmup_steps)
    share = min(1.0, (step - config.warmup_steps) / span)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
