"""The findings of checks of the machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum


class State(Enum):
    """How far a finding affects the verbs.

    Attributes:
        READY: nothing is lost.
        LIMITED: every verb runs, but at a cost.
        BLOCKED: some verb cannot run here.
    """

    READY = "ready"
    LIMITED = "limited"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Finding:
    """The finding of one check.

    Attributes:
        state: how far it affects the verbs.
        found: description of what is there.
        cost: what a lack costs; empty if it costs nothing.
        remedy: what to do about it; empty if nothing needs to or can be done.
    """

    state: State
    found: str
    cost: str = ""
    remedy: str = ""

    def as_dict(self, name: str) -> dict[str, str]:
        """Return the entry of `m2trec doctor --json` for the check `name`."""
        return {"name": name, **asdict(self), "state": self.state.value}


def ready(found: str) -> Finding:
    """Return a finding with nothing lost."""
    return Finding(State.READY, found)
