"""The section `training`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from m2trec_merlin.sections import MANY, Count, Section

#: If no batch size is configured: the wanted steps of an epoch, and the fewest and most sessions of a step.
_STEPS, _FEWEST, _MOST = 400, 32, 256


class ContinuedConfig(Section):
    """Settings for a training that continues from an earlier run (`train --from`)."""

    epochs: Count = 1
    old_sessions: float = Field(
        0.25,
        ge=0,
        le=1,
        description="share of the sessions that the earlier run was trained on, drawn anew each time and "
        "trained on again beside the new ones",
    )
    learning_rates: float = Field(
        0.3, gt=0, le=10, description="multiple of both learning rates of a training from scratch"
    )


class TrainingConfig(Section):
    """Optimisation, early stopping and checkpoints."""

    epochs: Count = 4
    batch_size: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="sessions a step, in each process; default: 32 to 256, so that an epoch has 400 steps or "
        "more, where there are enough",
    )
    learning_rate: float = Field(3e-3, ge=1e-9, le=10)
    item_learning_rate: float = Field(
        0.1,
        ge=1e-9,
        le=10,
        description="of tables of which a step touches few rows, such as one per item (row-wise Adagrad)",
    )
    weight_decay: float = Field(0.01, ge=0, le=10)
    warmup_steps: int = Field(
        100, ge=0, le=MANY, description="in which the learning rate rises; at most half of all steps"
    )
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="of the learning rate: down to zero at the end of the last epoch, or none"
    )
    clip_norm: float = Field(1.0, ge=1e-6, le=1e6)
    patience: Count = Field(2, description="epochs without a better validation HIT@20 before stopping")
    validation_prefixes: Count = Field(20_000, description="prefixes scored after each epoch")
    recency: float = Field(
        0.0,
        ge=0,
        le=20,
        description="draw late sessions more often, as many in all: the last one exp(recency) times as often "
        "as the first; for data with times, or in order of time",
    )
    checkpoint_steps: Count | None = Field(None, description="also checkpoint every so many steps")
    max_steps: Count | None = Field(None, description="stop after so many steps, whatever epochs says")
    continued: ContinuedConfig = ContinuedConfig()
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of matrix products; auto: bfloat16 where that is faster"
    )
    logits_mib: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="MiB of logits that the loss holds at a time; default: 8 on a CPU, 256 on a GPU",
    )
    sessions_at_a_time: Count | None = Field(
        None,
        description="sessions held at a time, 100 bytes each; default: 1,000,000, or 20,000,000 on a GPU",
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    cuda_graphs: bool = Field(
        False,
        description="on a GPU, launch all kernels of a step at once, where the model allows it; written and "
        "rehearsed without a GPU, not run on one",
    )
    threads: int | None = Field(None, ge=1, le=1024, description="CPU threads; default: all cores")

    def batch_of(self, sessions: int, processes: int = 1) -> int:
        """Return the number of sessions per step in each process.

        Unless configured, an epoch has at least 400 steps, as long as a step has at least 32 sessions in all
        processes together; a step never has more than 256 (docs/quality-log.md).

        Args:
            sessions: number of training sessions.
            processes: number of processes that train together.
        """
        if self.batch_size is not None:
            return self.batch_size
        wanted = max(sessions // _STEPS, 1)
        together = min(max(1 << (wanted.bit_length() - 1), _FEWEST), _MOST)
        return max(together // processes, 1)
