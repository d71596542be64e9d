"""Day after day: which sessions belong to which day, and what comes out."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmarks.frame.commands import main
from experiments.__main__ import MEMBERS
from experiments.rolling import Days
from m2trec_merlin.config import load_config
from m2trec_merlin.errors import ConfigError
from tests.experiments.test_paper import SHOP

#: Sessions a day, and days.
A_DAY, N_DAYS = 40, 6


def write_shop(folder: Path, **settings: Any) -> Path:
    """A shop of six days; each session begins 20 minutes before midnight of one day or at noon."""
    random, events = np.random.default_rng(0), []
    for number in range(A_DAY * N_DAYS):
        day, late = number // A_DAY, number % 2
        start = pd.Timestamp(2024, 3, 1 + day, 12) + late * pd.Timedelta(hours=11, minutes=40)
        first = random.integers(0, 30)
        for step in range(4):
            time = start + step * pd.Timedelta(minutes=15)
            events.append((f"s{number}", f"i{(first + step) % 30}", time.isoformat()))
    pd.DataFrame(events, columns=["session_id", "item_id", "time"]).to_csv(folder / "events.csv", index=False)
    items = [(f"i{i}", f"thing {i}", f"c{i % 4}") for i in range(30)]
    pd.DataFrame(items, columns=["item_id", "title", "category"]).to_csv(folder / "items.csv", index=False)
    data = {
        "source": "tables",
        "interactions": "events.csv",
        "items": "items.csv",
        "columns": {"order": "time"},
        "options": {"time_format": "ISO8601"},
        "max_session_length": 8,
        **settings,
    }
    (folder / "shop.yaml").write_text(yaml.safe_dump({**SHOP, "data": data, "work_dir": str(folder / "run")}))
    return folder / "shop.yaml"


def test_a_session_belongs_to_the_day_it_begins_on_and_the_next_day_is_the_test(tmp_path: Path) -> None:
    days = Days.read(load_config(write_shop(tmp_path)), date(2024, 3, 5), count=2, window=2)
    assert [days.date(day) for day in range(-1, 3)] == [f"2024-03-0{n}" for n in (2, 3, 4, 5)]
    tables = {day: days.up_to(day) for day in range(-1, 2)}
    for day, table in tables.items():
        # The day that is tested, counted from 0 on March 1st.
        last = day + 3
        sessions = table.groupby("split")["session_id"].unique()
        tested = {f"s{n}" for n in range(A_DAY * last, A_DAY * (last + 1))}
        assert set(sessions["test"]) == tested
        trained = {f"s{n}" for n in range(A_DAY * (last - 2), A_DAY * last)}
        assert set(sessions["train"]) | set(sessions["valid"]) == trained
        assert not set(sessions["train"]) & set(sessions["valid"])
        assert table.groupby("session_id").size().eq(4).all()
    first, second = (set(tables[day].query("split == 'valid'")["session_id"]) for day in (0, 1))
    trained_later = set(tables[1].query("split == 'train'")["session_id"])
    assert first and second and not first & trained_later


def test_events_are_in_order_of_time_however_they_stand(tmp_path: Path) -> None:
    config = write_shop(tmp_path)
    events = pd.read_csv(tmp_path / "events.csv")
    expected = events.groupby("session_id")["item_id"].agg(list)
    events[::-1].to_csv(tmp_path / "events.csv", index=False)
    days = Days.read(load_config(config), date(2024, 3, 5), count=2, window=2)
    found = days.up_to(1).sort_values(["session_id", "position"]).groupby("session_id")["item_id"].agg(list)
    assert len(found) and found.to_dict() == expected[found.index].to_dict()


def test_data_that_do_not_reach_back_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="begins on 2024-03-01: too late for 5 days after 3"):
        Days.read(load_config(write_shop(tmp_path)), None, count=5, window=3)


def test_what_would_be_left_out_is_refused(tmp_path: Path) -> None:
    """Every event would be a target without a word."""
    targets = {"targets": {"column": "item_id", "values": ["i1"]}}
    with pytest.raises(ConfigError, match=r"alone: leave out data\.targets, data\.cold_item_share$"):
        Days.read(load_config(write_shop(tmp_path, **targets, cold_item_share=0.1)), None, count=2, window=2)


@pytest.mark.slow
def test_both_models_are_measured_on_each_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = write_shop(tmp_path)
    command = ["-c", str(shop), "--days", "2", "--window", "2", "--output", str(tmp_path / "out")]
    assert main("experiments", MEMBERS, ["rolling", *command]) == 0
    lines = json.loads((tmp_path / "out" / "rolling-shop.json").read_text())
    assert [line["day"] for line in lines] == ["2024-03-05", "2024-03-06"]
    for line in lines:
        assert line["prefixes"] == 3 * A_DAY
        sessions, new, old = line["sessions"]
        assert 0 < new <= A_DAY and new + old <= sessions <= 2 * A_DAY
        scratch, ours = (line["values"]["HIT@20"][name][0] for name in ("from scratch", "continued"))
        assert line["differences"]["HIT@20"][0] == pytest.approx(ours - scratch)
        assert set(line["seconds"]) == {"from scratch", "continued"}
    page = (tmp_path / "out" / "rolling-shop.md").read_text()
    assert page in capsys.readouterr().out
    assert "| 2024-03-05 | 120 | HIT@20 |" in page
