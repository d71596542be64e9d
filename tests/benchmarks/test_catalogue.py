"""The benchmark of a changing catalogue, with the real Triton and next to no load."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pandas import DataFrame, read_parquet

from benchmarks.__main__ import MEMBERS
from benchmarks.frame.commands import main
from m2trec_merlin.serving.export.run import export
from tests.worlds.shop import N_ITEMS, build_shop


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("catalogue") / "run"
    export(build_shop(run)[0])
    test = run / "data" / "interactions" / "test"
    test.mkdir()
    events = {"session_id": list("aabb"), "item_id": [f"sku-{n}" for n in range(4)], "position": [0, 1, 0, 1]}
    DataFrame(events).to_parquet(test / "part-00000.parquet")
    return run


@pytest.mark.triton
def test_items_are_added_under_load_and_the_server_holds_no_more_after_more_versions(
    run: Path, tmp_path: Path
) -> None:
    repository = run / "triton"
    words = ["--repository", str(repository), "--data", str(run / "data"), "--output", str(tmp_path)]
    few = ["--rate", "20", "--seconds", "3", "--adds", "1", "--items", "5", "--versions", "1"]
    assert main("benchmarks", MEMBERS, ["catalogue", *words, *few]) == 0
    [row] = json.loads((tmp_path / "catalogue.json").read_text())
    assert (row["items"], row["requests"], row["failed"]) == (N_ITEMS, 60, 0)
    assert row["adds"] == 1 and all(seconds > 0 for seconds in row["seconds_until_recommended"])
    assert len(row["quiet_ms"]) == len(row["changing_ms"]) == 3 and len(row["memory_mib"]) == 2
    # It works on a copy.
    assert not (repository / "m2trec_predict" / "catalogue").exists()
    assert len(read_parquet(run / "data" / "items.parquet")) == N_ITEMS


@pytest.mark.triton
def test_minutes_of_load_are_told_one_by_one(run: Path, tmp_path: Path) -> None:
    words = ["--repository", str(run / "triton"), "--data", str(run / "data"), "--output", str(tmp_path)]
    short = ["--rate", "20", "--minutes", "2", "--seconds", "1", "--items", "5", "--raw-share", "0.2"]
    assert main("benchmarks", MEMBERS, ["soak", *words, *short]) == 0
    rows = json.loads((tmp_path / "soak.json").read_text())
    assert [(row["minute"], row["requests"], row["failed"]) for row in rows] == [(n, 20, 0) for n in (1, 2)]
    assert all(row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"] and row["memory_mib"] > 0 for row in rows)
    assert not (run / "triton" / "m2trec_predict" / "catalogue").exists()
