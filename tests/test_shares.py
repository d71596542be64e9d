from __future__ import annotations

import pytest

from m2trec_merlin.shares import counted, percent


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 7, "0 %"), (7, 7, "100 %"), (0, 0, "0 %"), (1, 8, "12 %"), (1, 3, "33 %"), (1, 20, "5 %"),
        (31, 1000, "3.1 %"), (1, 5000, "under 0.1 %"), (4999, 5000, "over 99.9 %"), (996, 1000, "99.6 %"),
    ],
)  # fmt: skip
def test_shares_as_people_write_them(part: float, whole: float, text: str) -> None:
    assert percent(part, whole) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 rows"), (1, "1 row"), (1200, "1,200 rows")])
def test_counted_nouns(count: int, text: str) -> None:
    assert counted(count, "row") == text
    assert counted(count, "row has", "rows have") == f"{text} {'has' if count == 1 else 'have'}"
