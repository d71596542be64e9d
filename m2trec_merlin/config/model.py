"""The section `model`: item encoder, session encoder and tasks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from m2trec_merlin.sections import Dropout, Name, Section, Weight, Width


class SessionEncoderConfig(Section):
    """The Transformer over a session (Eq. 5)."""

    mode: Literal["causal", "bidirectional"] = "causal"
    layers: int = Field(2, ge=1, le=128)
    heads: int = Field(8, ge=1, le=1024)
    feedforward: Width = 512
    activation: Literal["relu", "gelu"] = "relu"
    dropout: Dropout = 0.1
    pooling: Literal["mean", "last", "mean_last"] = Field(
        "mean_last", description="the session vector: mean of its events (the paper), the last one, or both"
    )


class NextItemConfig(Section):
    """The next-item task: the parts of a candidate's score, and how they are trained."""

    head: Literal["metadata", "softmax"] = "metadata"
    similarity: Literal["cosine", "dot"] = "cosine"
    residual: bool = Field(
        True, description="metadata head: add a learned vector per *training* item on the output side"
    )
    residual_dropout: Dropout = Field(
        0.1, description="share of items trained without it, so that items never seen score on par"
    )
    popularity_bias: bool = Field(
        True,
        description="metadata head: add a learned multiple of the logarithm of training occurrences plus a "
        "share of those that the metadata let expect",
    )
    session_items: bool = Field(
        True, description="add the vectors of the session's own items to the query, weighted by attention"
    )
    candidate_dropout: Dropout = Field(
        0.0, description="share of the candidates' vectors hidden in training, value by value"
    )
    repeat_bias: bool = Field(True, description="add a learned bias to items of the session, by distance")
    loss: Literal["full", "sampled"] = "sampled"
    negatives: int = Field(
        4096, ge=1, le=1_000_000, description="sampled loss: items drawn a batch, besides the batch's own"
    )
    temperature: float = Field(
        0.07, ge=1e-3, le=1e3, description="where the learned temperature starts (cosine scores)"
    )
    weight: Weight = 1.0

    def without_effect(self) -> list[str]:
        """Return the given settings that have no effect because of other settings."""
        names: set[str] = set()
        if self.head == "softmax":
            names |= {"similarity", "residual", "residual_dropout", "popularity_bias", "temperature"}
        if self.similarity == "dot":
            names.add("temperature")
        if not (self.residual or self.popularity_bias):
            names.add("residual_dropout")
        if self.loss == "full":
            names.add("negatives")
        return sorted(names & self.model_fields_set)

    @property
    def expects_popularity(self) -> bool:
        """Whether items without a history get a popularity that is estimated from their metadata."""
        return self.head == "metadata" and self.popularity_bias


class NextAttributeConfig(Section):
    """A task that predicts one attribute of the next item: its category, or its tags."""

    attribute: Name = Field(description="of kind categorical or multi_categorical")
    weight: Weight = 1.0


class ModelConfig(Section):
    """Item encoder, session encoder and tasks."""

    width: int = Field(128, ge=8, le=65_536, description="D: width of the session encoder")
    inputs: list[Name] | None = Field(
        None,
        min_length=1,
        description="attributes that describe an item; default: all. 'item_id' is for the id variants",
    )
    dim_per_value: float = Field(
        1 / 64, ge=1e-9, le=1e3, description="embedding width per vocabulary entry (rounded up to 8s)"
    )
    min_dim: Width = 16
    max_dim: int = Field(128, ge=8, le=65_536)
    id_dropout: Dropout = Field(
        0.0, description="with item ids on the input: share of ids hidden in training"
    )
    near_items: int = Field(
        0,
        ge=0,
        le=1000,
        description="with item ids on the input: how many of the items that stand near an item in training "
        "sessions have their vectors added to its own",
    )
    attribute_dropout: Dropout = Field(0.02, description="share of values hidden in training")
    session: SessionEncoderConfig = SessionEncoderConfig()
    next_item: NextItemConfig = NextItemConfig()
    next_attributes: list[NextAttributeConfig] = []

    @model_validator(mode="after")
    def _sizes_fit_each_other(self) -> ModelConfig:
        problems = []
        if self.width % self.session.heads:
            problems.append(f"width {self.width} is not a multiple of session.heads {self.session.heads}")
        if self.min_dim > self.max_dim:
            problems.append(f"min_dim {self.min_dim} is above max_dim {self.max_dim}")
        predicted = self.predicted_attributes
        for setting, names in (("inputs", self.inputs or []), ("next_attributes", predicted)):
            if repeated := sorted({name for name in names if names.count(name) > 1}):
                problems.append(f"{setting} names {repeated} more than once")
        if "item" in predicted:
            problems.append(
                "next_attributes names 'item', whose task would be called as that of the next item: give the "
                "attribute another name, and column: item"
            )
        problems += [
            f"next_attributes names '{name}' and '{name}_probabilities', whose answers are called alike"
            for name in predicted
            if f"{name}_probabilities" in predicted
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def predicted_attributes(self) -> list[str]:
        """The names of the attributes of `next_attributes`."""
        return [task.attribute for task in self.next_attributes]
