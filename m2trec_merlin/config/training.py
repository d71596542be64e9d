"""The section `training`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from m2trec_merlin.sections import Section


class TrainingConfig(Section):
    """Optimisation, stopping, checkpoints."""

    epochs: int = Field(10, ge=1)
    batch_size: int = Field(256, ge=1, description="sessions a step")
    learning_rate: float = Field(3e-3, gt=0)
    item_learning_rate: float = Field(
        0.1,
        gt=0,
        description="of tables of which a step touches few rows, such as one per item (row-wise Adagrad)",
    )
    weight_decay: float = Field(0.01, ge=0)
    warmup_steps: int = Field(100, ge=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    clip_norm: float = Field(1.0, gt=0)
    patience: int = Field(2, ge=1, description="epochs without a better validation HIT@20 before stopping")
    validation_prefixes: int = Field(20_000, ge=1, description="prefixes scored after each epoch")
    checkpoint_steps: int | None = Field(None, ge=1, description="also checkpoint every so many steps")
    max_steps: int | None = Field(None, ge=1, description="stop after so many steps, whatever epochs says")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of matrix products; auto: bfloat16 where the hardware has it"
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(None, ge=1, description="CPU threads; default: all cores")
