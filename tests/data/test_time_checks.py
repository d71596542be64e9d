"""What is told of times that can be read, and are hardly what was meant."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.data.time_checks import TimeChecks
from m2trec_merlin.data.validation import validate
from m2trec_merlin.readers.times import ISO_8601, parse_instants
from tests.worlds.tables import MakeConfig, problems_of

HOURS = pd.Series(pd.date_range("2026-03-01 00:07", periods=1000, freq="41min"))


def notices(written: pd.Series) -> list[str]:
    checks = TimeChecks(ISO_8601)
    for chunk in np.array_split(np.arange(len(written)), 3):
        texts = written.iloc[chunk]
        checks.look_at(texts)
        checks.add(parse_instants(texts), chunk)
    return checks.notices("session")


def test_hours_of_half_a_day_are_told() -> None:
    half = HOURS.dt.strftime("%Y-%m-%d %I:%M:%S")
    assert len(notices(half)) == 1 and "no time is before 1 or after 13 o'clock" in notices(half)[0]
    assert notices(HOURS.dt.strftime("%Y-%m-%d %H:%M:%S")) == []
    open_in_the_morning = HOURS[HOURS.dt.hour.between(8, 12)]
    assert notices(open_in_the_morning.dt.strftime("%Y-%m-%d %H:%M:%S")) == []


@pytest.mark.parametrize(
    ("every", "told"), [(2, "50 % of the times say"), (4, "25 % of the times say"), (0, "")]
)
def test_times_with_and_without_an_offset_are_told(every: int, told: str) -> None:
    written = HOURS.dt.strftime("%Y-%m-%d %H:%M:%S")
    if every:
        written = written.where(np.arange(len(written)) % every > 0, written + "+0100")
    assert [told in notice for notice in notices(written)] == [True] * bool(told)
    assert notices(HOURS.dt.strftime("%Y-%m-%dT%H:%M:%SZ")) == []


def test_names_of_zones_that_are_not_known_ask_for_offsets(
    make_config: MakeConfig, items: pd.DataFrame
) -> None:
    events = pd.DataFrame({"session_id": [1, 1], "item_id": [10, 20], "time": ["2024-03-01 09:00 PDT"] * 2})
    options = {"time_format": "%Y-%m-%d %H:%M %Z"}
    (problem,) = problems_of(make_config(events, items, columns={"order": "time"}, options=options))
    assert "row 1 ('2024-03-01 09:00 PDT')" in problem and "write offsets (%z): few names of zones" in problem


def test_an_item_may_stand_twice_in_a_basket(make_config: MakeConfig, items: pd.DataFrame) -> None:
    """As on receipts, whose lines have one time: it tells nothing of two lines of an article."""
    once = pd.DataFrame({"s": np.repeat([1, 2, 3], 6), "item_id": [10, 20, 20, 30, 40, 40] * 3})
    once["t"] = pd.Timestamp("2024-03-01 09:13") + pd.to_timedelta(once["s"], "min")
    told = "3 of 3 sessions of 4 events and more hold the same events twice"
    for events, notices in ((once, []), (pd.concat([once, once]), [told])):
        config = make_config(events, items, columns={"session_id": "s", "order": "t"})
        assert [n[: len(told)] for n in validate(config.data.open(0), config).notices] == notices
