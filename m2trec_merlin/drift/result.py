"""What was compared, and which of it is drift."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from m2trec_merlin.drift.measures import Difference
from m2trec_merlin.shares import percent


@dataclass(frozen=True)
class Drift:
    """What was found.

    Attributes:
        data: folder of the new data.
        trained: folder of the model.
        sessions: that are new, of those looked at.
        trained_sessions: of training, of those looked at.
        differences: everything that was compared.
        page: the report.
        not_compared: attributes whose columns the new data were made without.
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
        """Those above their limits."""
        return [difference for difference in self.differences if difference.is_drift]

    def as_dict(self) -> dict[str, object]:
        """Return it as JSON has it."""
        differences = [{**asdict(each), "is_drift": each.is_drift} for each in self.differences]
        paths = {name: str(getattr(self, name)) for name in ("data", "trained", "page")}
        return {**asdict(self), **paths, "differences": differences, "drift": bool(self.found)}


def in_words(difference: Difference) -> str:
    """Say a difference in one sentence."""
    if difference.measure == "distance":
        return (
            f"{difference.what}: distance {difference.new:.3f}, of which chance explains "
            f"{difference.chance:.3f}"
        )
    expected = f"{percent(difference.trained + difference.chance)} expected"
    return f"{difference.what}, {difference.measure}: {percent(difference.new)} of events, {expected}"
