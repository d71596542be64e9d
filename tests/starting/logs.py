"""Logs of visits, and what is understood of them."""

from __future__ import annotations

import pandas as pd

from m2trec_merlin.starting.event_times import find_times
from m2trec_merlin.starting.order import Order, find_order
from m2trec_merlin.starting.sessions import Grouping, find_grouping, find_split
from tests.starting.conftest import LookAt

START = pd.Timestamp("2024-03-01")


def log(pause: str, between: str, users: int = 30, visits: int = 4, events: int = 5) -> pd.DataFrame:
    """Visits of some events each: `pause` between two events, `between` between two visits of a user."""
    rows = [
        {
            "user": f"u{user}",
            "session": f"s{user}-{visit}",
            "product": (user + visit + event) % 17,
            "time": START
            + pd.Timedelta("7min") * user
            + visit * (pd.Timedelta(between) + events * pd.Timedelta(pause))
            + event * pd.Timedelta(pause),
            "step": event + 1,
            "action": ["view", "buy"][event % 2],
        }
        for user in range(users)
        for visit in range(visits)
        for event in range(events)
    ]
    return pd.DataFrame(rows).sort_values("time", ignore_index=True)


def understood(look: LookAt, clicks: pd.DataFrame) -> tuple[Grouping, Order]:
    found, taken = look(clicks), {"product"}
    times = find_times(found, taken)
    grouping = find_grouping(found, times, taken, find_split(found))
    return grouping, find_order(found, times, grouping, taken)
