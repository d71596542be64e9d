"""What a check of the machine finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum


class State(Enum):
    """How much of the verbs a finding leaves.

    Attributes:
        READY: nothing is lost.
        LIMITED: every verb runs, at a cost.
        BLOCKED: some verb cannot run here.
    """

    READY = "ready"
    LIMITED = "limited"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        state: how much it leaves.
        found: what is there, in words.
        cost: what a lack costs; empty if nothing does.
        remedy: what to do about it; empty where nothing need or can be done.
    """

    state: State
    found: str
    cost: str = ""
    remedy: str = ""

    def as_dict(self, name: str) -> dict[str, str]:
        """Return what `m2trec doctor --json` prints of the check called `name`."""
        return {"name": name, **asdict(self), "state": self.state.value}


def ready(found: str) -> Finding:
    """Return a finding of which nothing is lost."""
    return Finding(State.READY, found)
