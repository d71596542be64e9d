"""A `Progress` that remembers what it was told."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Told:
    """Lines in order, and of each task what was said of it: parts done, parts in all, note."""

    lines: list[str] = field(default_factory=list)
    tasks: dict[str, list[tuple[int, int, str]]] = field(default_factory=dict)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        self.tasks.setdefault(task, []).append((done, total, note))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)
