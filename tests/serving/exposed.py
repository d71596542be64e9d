"""What a metrics endpoint exposes, in Prometheus' text format."""

from __future__ import annotations

import re
from urllib.request import urlopen

_LINE = re.compile(r"(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Exposed:
    """One look at an endpoint.

    Attributes:
        text: as it came.
        series: name, labels and value of each line.
    """

    def __init__(self, address: str) -> None:
        with urlopen(address, timeout=30) as response:
            self.text = response.read().decode()
        matches = (_LINE.fullmatch(line) for line in self.text.splitlines())
        self.series = [
            (match["name"], dict(_LABEL.findall(match["labels"])), float(match["value"]))
            for match in matches
            if match is not None
        ]

    @property
    def names(self) -> set[str]:
        return {name for name, _, _ in self.series}

    def value(self, name: str, **labels: str) -> float:
        """The sum of a metric over all series with these labels; there is one at least."""
        found = [v for n, own, v in self.series if n == name and labels.items() <= own.items()]
        assert found, f"no {name} with {labels}"
        return sum(found)
