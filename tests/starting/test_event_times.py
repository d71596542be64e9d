"""Which of several columns holds the times of the events."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.starting.conftest import LookAt
from tests.starting.logs import log, understood


def test_numbers_since_1970_beside_days_are_the_times_of_day(look: LookAt) -> None:
    clicks = log("2min", "3h").drop(columns=["session", "step"])
    millis = clicks["time"].astype("datetime64[ms]").astype("int64")
    dated = clicks.assign(time=clicks["time"].dt.strftime("%Y-%m-%d")).rename(columns={"time": "day"})
    grouping, order = understood(look, dated.assign(millis=millis))
    assert (grouping.column, grouping.gap, order.column) == ("user", "30 min", "millis") and order.unsure
    far = millis + 10 * 86_400_000
    assert understood(look, dated.assign(millis=far))[1].column == "day"


@pytest.mark.parametrize("name", ["dvce_created_time", "event_time_local"])
def test_clocks_of_devices_and_places_come_after_others(look: LookAt, name: str) -> None:
    clicks = log("2min", "3h").drop(columns=["session", "step"])
    earlier = clicks["time"] - pd.Timedelta("3s")
    _, order = understood(look, clicks.assign(**{name: earlier}))
    assert order.column == "time" and f"'{name}' could be those of the events, too" in order.reason
