"""A `Sink` that remembers what was published, by name and labels."""

from __future__ import annotations

from dataclasses import dataclass, field

from m2trec_merlin.serving.runtime.tally import Series, Tally


@dataclass
class Counted:
    values: dict[Series, float] = field(default_factory=dict)

    @classmethod
    def of(cls, tally: Tally) -> Counted:
        counted = cls()
        tally.publish(counted)
        return counted

    def add(self, series: Series, amount: float) -> None:
        self.values[series] = self.values.get(series, 0.0) + amount

    def set(self, series: Series, value: float) -> None:
        self.values[series] = value

    def value(self, name: str, **labels: str) -> float:
        """The one value of a metric whose labels are among others these."""
        [found] = [
            v for (n, own), v in self.values.items() if n == name and labels.items() <= dict(own).items()
        ]
        return found
