from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import observing
from benchmarks.__main__ import MEMBERS
from benchmarks.frame.commands import main
from benchmarks.observing import take_turns
from m2trec_merlin.serving.export.run import export
from tests.worlds.shop import build_shop


def test_systems_take_turns_and_the_warm_up_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "_WARM_UP", 1)
    calls: list[tuple[str, int]] = []
    systems = {name: lambda requests, n=name: calls.append((n, len(requests))) for name in "ab"}
    seconds = take_turns(systems, [{}, {}, {}], 4)
    assert "".join(name for name, _ in calls) == "abbaab" and {size for _, size in calls} == {4}
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}


def test_every_way_of_observing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "_WARM_UP", 1)
    config, _, _ = build_shop(tmp_path)
    words = ["--repository", str(export(config)), "--rounds", "3", "--output", str(tmp_path)]
    assert main("benchmarks", MEMBERS, ["observing", *words]) == 0
    records = json.loads((tmp_path / "observing.json").read_text())
    values = {(record["system"], record["measure"]): record["value"] for record in records}
    assert len({system for system, _ in values}) == 5
    assert all(value > 0 for (_, measure), value in values.items() if measure == "milliseconds a request")
    assert values["nothing", "of these for being observed"] == 0
