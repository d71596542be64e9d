from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pandas import DataFrame

from benchmarks import library
from benchmarks.__main__ import MEMBERS
from benchmarks.frame.commands import main
from m2trec_merlin.serving.export.run import export
from tests.worlds.shop import build_shop


def test_what_is_offered_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_WARM_UP", 1)
    run, before = tmp_path / "run", os.sched_getaffinity(0)
    export(build_shop(run)[0])
    test = run / "data" / "interactions" / "test"
    test.mkdir()
    events = {"session_id": list("aabb"), "item_id": [f"sku-{n}" for n in range(4)], "position": [0, 1, 0, 1]}
    DataFrame(events).to_parquet(test / "part-00000.parquet")
    words = ["--run", str(run), "--alone", str(run), "--processes", "1", "--output", str(tmp_path)]
    assert main("benchmarks", MEMBERS, ["library", *words]) == 0
    records = json.loads((tmp_path / "library.json").read_text())
    values = {(record["system"], record["measure"]): record["value"] for record in records}
    systems = {"import", "load", "first answer", "recommend", "recommend_many, a session", "similar"}
    systems |= {"first search", "search"}
    systems |= {"recommend, the model alone", "recommend_many, a session, the model alone"}
    assert {system for system, _ in values} - systems == {
        "first item by its attributes",
        "recommend, an item by its attributes",
    }
    assert values["load", "mean"] > values["import", "mean"] > 0
    assert os.sched_getaffinity(0) == before
