"""What a column of splits says of the sessions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.starting.sessions import find_split, nearly_splits
from tests.starting.conftest import LookAt
from tests.starting.logs import log, understood


@pytest.mark.parametrize(
    ("values", "is_split"),
    [
        (["train", "valid", "test"], True),
        (["train", "test"], True),
        (["train", "dev", "test"], False),
        (["train", "valid"], False),
        (["train", "test", None], False),
    ],
)
def test_a_column_that_names_the_split(look: LookAt, values: list[Any], is_split: bool) -> None:
    clicks = pd.DataFrame({"a": range(30), "fold": (values * 30)[:30]})
    assert find_split(look(clicks)) == ("fold" if is_split else None)


def last_of_users(clicks: pd.DataFrame) -> pd.Series:
    to_the_end = clicks.groupby("user").cumcount(ascending=False)
    return to_the_end.map({0: "test", 1: "valid"}).fillna("train")


SPLITS = {
    "sessions": (
        lambda clicks: np.where(clicks["session"].str.endswith("-3"), "test", "train"),
        ("session", "column"),
    ),
    "cut sessions": (
        lambda clicks: np.where(clicks["time"] > "2024-03-07", "test", "train"),
        ("user", "column"),
    ),
    "last events": (last_of_users, ("user", "leave_one_out")),
    "last event": (lambda clicks: last_of_users(clicks).replace("valid", "train"), ("user", "leave_one_out")),
    "later events": (lambda clicks: np.where(clicks["step"] > 3, "test", "train"), ("session", None)),
    "some last events": (
        lambda clicks: last_of_users(clicks).where(clicks["user"] < "u2", "train"),
        ("user", None),
    ),
    "any events": (lambda clicks: np.resize(["train", "train", "test"], len(clicks)), ("session", None)),
}


@pytest.mark.parametrize("name", SPLITS)
def test_how_a_column_splits_sessions_is_told(look: LookAt, name: str) -> None:
    told, (column, kind) = SPLITS[name]
    clicks = log("2min", "2days")
    clicks["fold"] = told(clicks)
    grouping, _ = understood(look, clicks.drop(columns="session" if column == "user" else "user"))
    assert (grouping.column, grouping.split) == (column, kind)
    assert (grouping.gap is None) == (column == "session" or kind == "leave_one_out")


@pytest.mark.parametrize(
    ("values", "are_told"),
    [
        (["Train", "Test"], True),
        (["train", "validation", "test"], True),
        (["training", "dev", "eval"], True),
        (["train", "bus"], False),
        (["train"], False),
        ([["train"], ["test"]], False),
    ],
)
def test_splits_under_other_names_are_told(look: LookAt, values: list[Any], are_told: bool) -> None:
    clicks = pd.DataFrame({"session": range(12), "fold": (values * 12)[:12]})
    told = [*nearly_splits(look(clicks))]
    assert bool(told) == are_told and all("'fold' has" in one for one in told)
