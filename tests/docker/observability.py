"""What the alert rules and the board of docker/observability read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

FOLDER = Path(__file__).parents[2] / "docker" / "observability"

#: Words of PromQL that are no names of metrics, and the one metric that Prometheus makes itself.
_WORDS = {
    *("sum", "by", "rate", "increase", "histogram_quantile", "time", "ignoring", "on", "and"),
    *("group_left", "group_right", "up"),
}
_SELECTOR = re.compile(r"(?<!\w)([a-zA-Z_]\w*)\s*(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|=)\s*"([^"]*)"')


@dataclass(frozen=True)
class Selector:
    """A metric in an expression, and what its labels have to match in full."""

    name: str
    labels: tuple[tuple[str, str], ...]

    def selects(self, name: str, labels: dict[str, str]) -> bool:
        return self.name == name and all(re.fullmatch(p, labels.get(n, "")) for n, p in self.labels)


def expressions() -> Iterator[tuple[str, str]]:
    """Yield where each expression stands, and the expression."""
    for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for panel in json.loads((FOLDER / "grafana.json").read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def selectors(expression: str) -> list[Selector]:
    """The metrics that an expression reads."""
    # What stands behind these words are labels; what stands in brackets are spans of time.
    bare = re.sub(r"\b(by|on|ignoring)\s*\([^)]*\)|\[[^\]]*\]", " ", expression)
    return [
        Selector(
            name,
            tuple((n, p if sign == "=~" else re.escape(p)) for n, sign, p in _MATCHER.findall(inside)),
        )
        for name, inside in _SELECTOR.findall(bare)
        if name not in _WORDS
    ]
