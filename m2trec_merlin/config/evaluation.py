"""The section `evaluation`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from m2trec_merlin.baselines import BASELINES
from m2trec_merlin.sections import Count, Section

if TYPE_CHECKING:
    Baseline = str
else:
    Baseline = Literal[tuple(BASELINES)]


class EvaluationConfig(Section):
    """What to measure, on which prefixes, against which baselines."""

    ks: list[Annotated[int, Field(ge=1, le=10_000)]] = Field(
        [5, 10, 20], min_length=1, max_length=100, description="cut-offs"
    )
    sparse_below: Count = Field(10, description="a tail item has fewer training occurrences than this")
    prefixes: Literal["all", "last"] = Field(
        "all", description="scored: every beginning of a session, or what stands before its last event"
    )
    max_prefixes: Count | None = Field(None, description="score a seeded sample of so many prefixes")
    baselines: list[Baseline] = Field(
        ["popularity", "markov", "session_knn", "content_knn"],
        description="scorers to compare with; []: none",
    )
    exclude_session_items: bool = Field(False, description="never recommend what the session already holds")
    block_prefixes: Count = Field(512, description="prefixes scored at a time; bounds memory")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="of the model")
    bootstrap_samples: int = Field(
        1000, ge=0, le=1_000_000, description="of sessions, for the intervals; 0: none"
    )

    @model_validator(mode="after")
    def _numbers_mean_something(self) -> EvaluationConfig:
        problems = []
        if len(set(self.ks)) < len(self.ks):
            problems.append(f"ks {self.ks} repeats a cut-off")
        if self.bootstrap_samples == 1:
            problems.append("bootstrap_samples 1 has no interval: 0 for none, or as a rule 1000")
        if len(set(self.baselines)) < len(self.baselines):
            problems.append(f"baselines {self.baselines} repeats one")
        if problems:
            raise ValueError("; ".join(problems))
        return self
