"""The schedule of the learning rate."""

from __future__ import annotations

import math

from m2trec_merlin.config import TrainingConfig

#: Maximum share of the steps in which the learning rate rises: a short training would be nothing but warm-up.
_MOST = 0.5


def warm_up(config: TrainingConfig, total_steps: int) -> int:
    """Return the number of steps in which the learning rate rises: as configured, at most half of all."""
    return min(config.warmup_steps, int(total_steps * _MOST))


def learning_rate(step: int, total_steps: int, config: TrainingConfig) -> float:
    """Return the learning rate of a step: a linear warm-up, then a cosine to zero, or a constant.

    Args:
        step: number of the step, from 0.
        total_steps: number of steps of all epochs.
        config: peak learning rate, warm-up steps and schedule.
    """
    rising = warm_up(config, total_steps)
    if step < rising:
        return config.learning_rate * (step + 1) / rising
    if config.schedule == "constant":
        return config.learning_rate
    span = max(1, total_steps - rising)
    share = min(1.0, (step - rising) / span)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
