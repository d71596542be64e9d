"""Every benchmark that needs no server and no other library runs on a tiny shop, and publishes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from benchmarks.__main__ import MEMBERS
from benchmarks.frame.commands import main
from benchmarks.frame.publish import Record
from tests.experiments.test_paper import SHOP

RUNS = {
    "evaluation": ["--prefixes", "50"],
    "training-step": ["--steps", "2"],
    "step-profile": ["--steps", "2"],
    "preprocessing": ["--repeats", "1"],
    "training": ["--systems", "causal", "--budget-seconds", "1", "--eval-seconds", "1", "--threads", "1"],
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.yaml").write_text(yaml.safe_dump({**SHOP, "work_dir": str(folder / "run")}))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_it_prints_a_page_and_writes_records(
    name: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "preprocessing":
        pytest.importorskip("polars")
    words = [name, "-c", str(shop / "shop.yaml"), "--output", str(shop / "out"), *RUNS[name]]
    assert main("benchmarks", MEMBERS, words) == 0
    stem = name.replace("-", "_")
    records = [Record(**record) for record in json.loads((shop / "out" / f"{stem}.json").read_text())]
    assert {record.data for record in records} == {"shop"}
    page = (shop / "out" / f"{stem}.md").read_text()
    assert f"Made by `python -m benchmarks {name} --config " in page
    assert page in capsys.readouterr().out
    if name == "step-profile":
        shares = {r.system: r.value for r in records if r.measure == "share of the step"}
        assert shares["whole step"] == 1
        assert all(record.ratio_to_ours is None for record in records)


@pytest.mark.slow
def test_a_finished_system_is_not_trained_again(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["training", "-c", str(shop / "shop.yaml"), "--output", str(shop / "out"), *RUNS["training"]]
    for _ in range(2):
        assert main("benchmarks", MEMBERS, words) == 0
    assert "m2trec causal: kept from before" in capsys.readouterr().out
