"""Positions that are numbers, and days: where they order events wrongly, it is told."""

from __future__ import annotations

import pandas as pd
import pytest

from m2trec_merlin.data.position_checks import PositionChecks
from m2trec_merlin.data.validation import validate
from m2trec_merlin.readers.positions import parse_positions
from tests.worlds.tables import MakeConfig


@pytest.mark.parametrize(
    ("positions", "told"),
    [
        (["31012024", "01022024"], "%d%m%Y"),
        ([31012024, 1022024], "%d%m%Y"),
        (["12312023", "01012024"], "%m%d%Y"),
        (["31.01", "01.02"], "%d.%m"),
        ([31.01, 1.02], "%d.%m"),
        # Days of one month are in order, and so are those that begin with the year.
        (["30012024", "31012024"], None),
        (["20240131", "20240201"], None),
        # Other numbers.
        ([1, 2], None),
        ([31012024, 1022024, 32012024], None),
        ([1704412800, 1704412801], None),
        ([1.5, 2.5], None),
        ([1.01, 2.13], None),
        ([], None),
    ],
)
def test_days_that_are_no_order(positions: list[object], told: str | None) -> None:
    together, apart = PositionChecks(), PositionChecks()
    together.add(parse_positions(pd.Series(positions)), None)
    for number in range(len(positions)):
        apart.add(parse_positions(pd.Series(positions[number : number + 1])), None)
    assert together.notices("day") == apart.notices("day")
    assert [notice.partition("(")[2].partition(")")[0] for notice in together.notices("day")] == (
        [told] if told else []
    )


def test_data_tells_the_remedy_and_the_remedy_is_one(make_config: MakeConfig, items: pd.DataFrame) -> None:
    events = pd.DataFrame(
        {"session_id": [1, 1, 1], "item_id": [10, 20, 30], "day": [30112023, 1122023, 1012024]}
    )
    config = make_config(events, items, columns={"order": "day"})
    (notice,) = validate(config.data.open(0), config).notices
    assert notice.startswith("column 'day': all of its numbers could be days (%d%m%Y)")
    assert notice.endswith("data.options.time_format: '%d%m%Y' makes times of them")
    remedied = make_config(
        events, items, columns={"order": "day"}, options={"time_format": "%d%m%Y"}, split={"kind": "hash"}
    )
    assert not [n for n in validate(remedied.data.open(0), remedied).notices if "day of the month" in n]
    (chunk,) = remedied.data.open(0).interactions()
    assert chunk["item_id"].tolist() == ["10", "20", "30"]


@pytest.mark.parametrize(
    ("positions", "order_nothing"),
    [
        ([7, 7, 7, 7, 7], True),
        ([1, 1, 2, 2, 3], True),
        (["1", "1.0", "2", "2", "2"], True),
        ([1, 2, 1, 2, 1], False),
        ([1, 1, 1, 2, 1], False),
    ],
)
@pytest.mark.parametrize("chunk_sessions", [1, 100])
def test_positions_that_order_no_event_of_any_session_are_told(
    make_config: MakeConfig,
    items: pd.DataFrame,
    positions: list[object],
    order_nothing: bool,
    chunk_sessions: int,
) -> None:
    rows = {"session_id": [1, 1, 2, 2, 3], "item_id": [10, 20, 30, 10, 40], "position": positions}
    config = make_config(pd.DataFrame(rows), items, chunk_sessions=chunk_sessions)
    told = "column 'position': has one number in all events of a session, and so orders none of them"
    assert any(told in notice for notice in validate(config.data.open(0), config).notices) == order_nothing
