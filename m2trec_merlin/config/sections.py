"""The sections of a configuration file, as typed and validated models.

Every default is a choice that works on a laptop; docs/configuration.md lists them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from m2trec_merlin.sections import Section


class ColumnsConfig(Section):
    """How the columns of the source are called (source `tables` only)."""

    session_id: str = "session_id"
    item_id: str = "item_id"
    order: str | None = Field(
        None,
        description="column that orders a session's events: a position or a timestamp; default: file order",
    )
    split: str | None = Field(None, description="column that names the split, for `split.kind: column`")


class SplitByColumn(Section):
    """The interactions carry the split: `train`, `valid`, `test`."""

    kind: Literal["column"]
    valid_share_of_train: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="take this last share of the training sessions for validation, if none is named",
    )


class SplitByTime(Section):
    """The last sessions in time are held out, by the time of their first event."""

    kind: Literal["time"]
    test_share: float = Field(0.1, gt=0, lt=1)
    valid_share: float = Field(0.1, gt=0, lt=1)


class SplitByHash(Section):
    """A stable hash of the session id decides; equal on every machine."""

    kind: Literal["hash"]
    test_share: float = Field(0.1, gt=0, lt=1)
    valid_share: float = Field(0.1, gt=0, lt=1)


class SplitByModulus(Section):
    """`session_id % modulus` decides; needs integer session ids."""

    kind: Literal["modulus"]
    modulus: int = Field(10, ge=3)
    test: list[int] = [0]
    valid: list[int] = [1]

    @model_validator(mode="after")
    def _remainders_are_disjoint(self) -> SplitByModulus:
        wrong = [r for r in self.test + self.valid if not 0 <= r < self.modulus]
        if wrong:
            raise ValueError(f"remainders {wrong} are not between 0 and {self.modulus - 1}")
        if set(self.test) & set(self.valid):
            raise ValueError(f"test {self.test} and valid {self.valid} share a remainder")
        return self


SplitConfig = Annotated[
    SplitByColumn | SplitByTime | SplitByHash | SplitByModulus, Field(discriminator="kind")
]


class DataConfig(Section):
    """Where raw data comes from, how it is split, and which sessions count."""

    source: Literal["complete_journey", "diginetica", "tables", "synthetic"] = "complete_journey"
    interactions: Path | None = Field(None, description="Parquet or CSV file or folder (source `tables`)")
    items: Path | None = Field(None, description="Parquet or CSV file or folder (source `tables`)")
    folder: Path | None = Field(
        None, description="folder of the official CIKM Cup files (source `diginetica`)"
    )
    columns: ColumnsConfig = ColumnsConfig()
    options: dict[str, Any] = Field({}, description="options of the reader, such as the number of households")
    split: SplitConfig = SplitByHash(kind="hash")
    cold_item_share: float = Field(
        0.0, ge=0, lt=1, description="share of seen items whose sessions leave training altogether"
    )
    min_session_length: int = Field(2, ge=2)
    max_session_length: int = Field(20, ge=2, description="training sessions keep their last so many events")
    chunk_sessions: int = Field(200_000, ge=1, description="sessions held in memory at a time")

    @model_validator(mode="after")
    def _source_has_its_paths(self) -> DataConfig:
        if self.source == "tables":
            missing = [name for name in ("interactions", "items") if getattr(self, name) is None]
            if missing:
                raise ValueError(
                    f"source 'tables' needs {' and '.join(missing)}: the path of a Parquet or CSV file"
                )
        if self.source == "diginetica" and self.folder is None:
            raise ValueError("source 'diginetica' needs folder: where the CIKM Cup 2016 files are")
        if isinstance(self.split, SplitByColumn) and self.source == "tables" and self.columns.split is None:
            raise ValueError("split.kind 'column' needs columns.split: the column that names the split")
        return self


class SessionEncoderConfig(Section):
    """The Transformer over a session (Eq. 5)."""

    mode: Literal["causal", "bidirectional"] = "causal"
    layers: int = Field(2, ge=1)
    heads: int = Field(8, ge=1)
    feedforward: int = Field(512, ge=1)
    activation: Literal["relu", "gelu"] = "relu"
    dropout: float = Field(0.1, ge=0, lt=1)
    pooling: Literal["mean", "last", "mean_last"] = Field(
        "mean_last", description="the session vector: mean of its events (the paper), the last one, or both"
    )


class NextItemConfig(Section):
    """The next-item task: what a candidate's score is made of, and how it is trained."""

    head: Literal["metadata", "softmax"] = "metadata"
    similarity: Literal["cosine", "dot"] = "cosine"
    residual: bool = Field(
        True, description="metadata head: add a learned vector per *training* item on the output side"
    )
    residual_dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of items trained without it, so that items never seen score on par",
    )
    popularity_bias: bool = Field(
        True,
        description="metadata head: add a learned multiple of log(1 + training occurrences), and for items "
        "never seen one of what their metadata let expect",
    )
    session_items: bool = Field(
        True, description="add the vectors of the session's own items to the query, weighted by attention"
    )
    candidate_dropout: float = Field(
        0.0, ge=0, lt=1, description="share of the candidates' vectors hidden in training, value by value"
    )
    repeat_bias: bool = Field(True, description="add a learned bias to items of the session, by distance")
    loss: Literal["full", "sampled"] = "sampled"
    negatives: int = Field(
        4096, ge=1, description="sampled loss: items drawn a batch, besides the batch's own"
    )
    temperature: float = Field(0.07, gt=0, description="where the learned temperature starts (cosine scores)")
    weight: float = Field(1.0, gt=0)

    @property
    def expects_popularity(self) -> bool:
        """Whether items without a history get the popularity that their metadata let expect."""
        return self.head == "metadata" and self.popularity_bias


class NextAttributeConfig(Section):
    """A task that predicts one categorical attribute of the next item."""

    attribute: str
    weight: float = Field(1.0, gt=0)


class ModelConfig(Section):
    """Item encoder, session encoder and tasks."""

    width: int = Field(128, ge=8, description="D: width of the session encoder")
    inputs: list[str] | None = Field(
        None, description="attributes that describe an item; default: all. 'item_id' is for the id variants"
    )
    dim_per_value: float = Field(
        1 / 64, gt=0, description="embedding width per vocabulary entry (rounded up to 8s)"
    )
    min_dim: int = Field(16, ge=1)
    max_dim: int = Field(128, ge=8)
    attribute_dropout: float = Field(0.02, ge=0, lt=1, description="share of values hidden in training")
    session: SessionEncoderConfig = SessionEncoderConfig()
    next_item: NextItemConfig = NextItemConfig()
    next_attributes: list[NextAttributeConfig] = []

    @model_validator(mode="after")
    def _heads_divide_width(self) -> ModelConfig:
        if self.width % self.session.heads:
            raise ValueError(f"width {self.width} is not a multiple of session.heads {self.session.heads}")
        return self


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


class EvaluationConfig(Section):
    """What is measured, on which prefixes, against which baselines."""

    ks: list[int] = [5, 10, 20]
    sparse_below: int = Field(10, ge=1, description="a tail item has fewer training occurrences than this")
    max_prefixes: int | None = Field(None, ge=1, description="score a seeded sample of the test sessions")
    baselines: list[Literal["popularity", "session_knn", "content_knn"]] = [
        "popularity",
        "session_knn",
        "content_knn",
    ]
    exclude_session_items: bool = Field(False, description="never recommend what the session already holds")
    block_prefixes: int = Field(512, ge=1, description="prefixes scored at a time; bounds memory")
    bootstrap_samples: int = Field(1000, ge=0)


class ServingConfig(Section):
    """The Triton model repository and the server."""

    top_k: int = Field(20, ge=1)
    top_categories: int = Field(3, ge=1)
    new_item_boost: float = Field(
        0.0, description="added to the scores of items without training history; a request can say otherwise"
    )
    neighbours: bool = Field(
        False,
        description="export the training sessions, too, and mix the model with those most like a session: "
        "better answers for more memory and time (docs/serving.md)",
    )
    title_column: str | None = Field(
        None, description="column of the items table to show; default: first text"
    )
    http_port: int = Field(8000, ge=1, le=65535)
    grpc_port: int = Field(8001, ge=1, le=65535)
    metrics_port: int = Field(8002, ge=1, le=65535)
    start_timeout: float = Field(90.0, gt=0, description="seconds to wait for readiness")
