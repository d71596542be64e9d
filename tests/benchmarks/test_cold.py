"""The experiment with new items: what is ranked among what, and how the boost is chosen."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks import cold
from benchmarks.cold import BOOSTS, ColdBench, Score, choose_boost
from m2trec_merlin.config import load_config
from m2trec_merlin.errors import ConfigError
from tests.benchmarks.test_paper import SHOP


def test_the_boost_is_the_highest_that_costs_little() -> None:
    overall = {0.0: 0.200, 1.0: 0.199, 2.0: 0.197, 3.0: 0.19}
    curve = [Score("M2TRec", "valid", "All", boost, hit, 0.0, 10) for boost, hit in overall.items()]
    curve += [Score("M2TRec", "valid", "cold target", boost, 0.5, 0.0, 10) for boost in overall]
    assert choose_boost(curve, allowed_loss=0.02) == 2.0
    assert choose_boost(curve, allowed_loss=0.0) == 0.0


@pytest.mark.slow
def test_new_items_are_measured_both_ways(tmp_path: Path) -> None:
    settings = {**SHOP, "work_dir": str(tmp_path / "run"), "data": {**SHOP["data"], "cold_item_share": 0.1}}
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(settings))
    assert cold.main(["-c", str(tmp_path / "shop.yaml"), "--output", str(tmp_path / "out")]) == 0
    rows = json.loads((tmp_path / "out" / "cold-shop.json").read_text())
    hit = {(r["model"], r["split"], r["slice"], r["boost"]): r["value"] for r in rows if r["metric"] == "HIT"}
    among = hit["M2TRec", "test", "cold target among cold items", None]
    assert among >= hit["M2TRec", "test", "cold target", None] == hit["M2TRec", "test", "cold target", 0.0]
    curve = [hit["M2TRec", "test", "cold target", boost] for boost in BOOSTS]
    assert curve == sorted(curve), "a higher boost never hides a new item that a lower one showed"
    assert (tmp_path / "out" / "cold-shop.svg").read_text().endswith("</svg>\n")
    bench = ColdBench(load_config(tmp_path / "shop.yaml"))
    prefixes = bench.cold["test"]
    assert bench.drawn[prefixes.targets].all()
    assert not any(bench.drawn[prefixes.items(i)].any() for i in range(len(prefixes)))
    seen = np.unique(bench.train.rows)
    assert not bench.drawn[seen].any()


def test_data_without_cold_items_are_refused(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump({**SHOP, "work_dir": str(tmp_path / "run")}))
    with pytest.raises(ConfigError, match="cold_item_share is 0"):
        cold.main(["-c", str(tmp_path / "shop.yaml"), "--output", str(tmp_path / "out")])


def test_configuration_of_instacart_draws_cold_items() -> None:
    assert load_config(Path("configs/instacart_cold.yaml")).data.cold_item_share == 0.05
