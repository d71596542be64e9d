"""The result of comparing new data with training data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from m2trec_merlin.drift.measures import Difference
from m2trec_merlin.shares import percent


@dataclass(frozen=True)
class Drift:
    """All differences between new data and the training data of a model.

    Attributes:
        data: the folder of the new data.
        trained: the folder of the model.
        sessions: the number of new sessions in the sample.
        trained_sessions: the number of training sessions in the sample.
        differences: the results of all comparisons.
        page: the path of the report.
        not_compared: attributes whose columns are not in the new data.
    """

    data: Path
    trained: Path
    sessions: int
    trained_sessions: int
    differences: list[Difference]
    page: Path
    not_compared: list[str] = field(default_factory=list)

    @property
    def found(self) -> list[Difference]:
        """The differences above their limits."""
        return [difference for difference in self.differences if difference.is_drift]

    def as_dict(self) -> dict[str, object]:
        """Return the result as a JSON object."""
        differences = [{**asdict(each), "is_drift": each.is_drift} for each in self.differences]
        paths = {name: str(getattr(self, name)) for name in ("data", "trained", "page")}
        return {**asdict(self), **paths, "differences": differences, "drift": bool(self.found)}


def in_words(difference: Difference) -> str:
    """Describe a difference in one sentence."""
    if difference.measure == "distance":
        return (
            f"{difference.what}: distance {difference.new:.3f}, of which chance explains "
            f"{difference.chance:.3f}"
        )
    expected = f"{percent(difference.trained + difference.chance)} expected"
    return f"{difference.what}, {difference.measure}: {percent(difference.new)} of events, {expected}"
