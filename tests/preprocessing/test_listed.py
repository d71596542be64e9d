"""Which items training had hardly time to see sell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import LISTED
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.neighbours.pasts import ItemPasts
from m2trec_merlin.preprocessing.listed import newly_listed
from m2trec_merlin.preprocessing.parts import Events
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.progress import Progress
from tests.worlds.raw_run import ITEMS, make_config, write_data

DAY = np.datetime64("2026-01-01", "us")


class Said(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def days(*numbers: float | None) -> np.ndarray:
    hours = [np.timedelta64("NaT") if n is None else np.timedelta64(int(24 * n), "h") for n in numbers]
    return DAY + np.array(hours, "timedelta64[us]")


def parts(folder: Path, times: np.ndarray) -> Events:
    files = []
    for number, some in enumerate(np.array_split(times, 2)):
        files.append(folder / f"part-{number:05d}.parquet")
        pd.DataFrame({"timestamp": some}).to_parquet(files[-1])
    return Events(files)


def test_an_item_is_new_while_an_average_one_would_not_have_sold_once(tmp_path: Path) -> None:
    """Ten events, one a day, of three items: the third last is of day 7."""
    events = parts(tmp_path, np.random.default_rng(0).permutation(days(*range(10))))
    counts = np.array([4, 3, 3, 0, 0, 0, 0, 0])
    since = days(0, 0, 9, 0, 7, 7.5, 11, None)
    said = Said()
    assert newly_listed(events, since, counts, said).tolist() == [False] * 5 + [True, True, False]
    assert said.lines == [
        "2 of 5 items that never sold were listed after 2026-01-08T00:00:00, and count as newly listed"
    ]


def test_where_all_items_sold_nothing_is_told(tmp_path: Path) -> None:
    said = Said()
    assert not newly_listed(parts(tmp_path, days(*range(10))), days(0, 0), np.array([5, 5]), said).any()
    assert not said.lines


def test_dates_after_what_sold_are_none_of_listing(tmp_path: Path) -> None:
    """As of an export that stamps each item with its own time."""
    said = Said()
    since = days(30, 30, 30, 30)
    assert not newly_listed(parts(tmp_path, days(*range(10))), since, np.array([5, 4, 1, 0]), said).any()
    assert "100 % of the items that sold were listed after the last event" in said.lines[0]


def test_where_nothing_sold_nobody_asks(tmp_path: Path) -> None:
    events = parts(tmp_path, days(*range(10)))
    assert not newly_listed(events, days(1, 30), np.array([0, 0]), Said()).any()


@pytest.fixture
def dated(tmp_path: Path) -> Catalogue:
    """Of the items that never sold 14 came late, 13 did not. Row 1 is 11, which sold three times."""
    config = make_config(tmp_path)
    data = write_data(tmp_path, ITEMS.assign(**{LISTED: days(0, 0, 0, 0, 5)}))
    for number, part in enumerate(sorted((data / "interactions" / "train").iterdir())):
        frame = pd.read_parquet(part)
        frame.assign(timestamp=days(*(number + frame["position"] / 24))).to_parquet(part, index=False)
    write_manifest(data, "data", {})
    return Catalogue.load(preprocess(config) / "catalogue")


def test_the_catalogue_and_a_mixture_know_it(dated: Catalogue) -> None:
    rows = dated.rows_of([14, 13, 11])
    assert dated.listed is not None and dated.listed[rows].tolist() == [True, False, False]
    terms = ItemPasts.of(dated).terms()
    assert terms["listed"][rows].tolist() == [1, 0, 0] and terms["new"][rows[:2]].tolist() == [0, 1]


def test_without_dates_nobody_knows(tmp_path: Path) -> None:
    write_data(tmp_path)
    catalogue = Catalogue.load(preprocess(make_config(tmp_path)) / "catalogue")
    assert catalogue.listed is None and not catalogue.newly_listed.any()
