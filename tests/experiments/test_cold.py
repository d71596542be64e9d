"""The experiment with new items: what is ranked among what, and how the boost is chosen."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.frame.commands import main
from benchmarks.frame.parse import ROOT, Parser, read
from benchmarks.frame.prepare import Prepared
from experiments import cold
from experiments.__main__ import MEMBERS
from experiments.cold import (
    BOOSTS,
    LISTED_NEW,
    SERVED,
    WITHOUT_HISTORY,
    BoostedScores,
    ColdBench,
    Score,
    choose_boost,
    cold_target_only,
    draw_of,
    over_draws,
)
from m2trec_merlin.config import EvaluationConfig, load_config
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.evaluation import ranking
from m2trec_merlin.sessions import Sessions
from tests.experiments.test_paper import SHOP
from tests.worlds.checkerboard import FunctionScorer, make_catalogue
from tests.worlds.encoded import tiny_config


def test_the_boost_is_the_highest_that_costs_little_on_validation() -> None:
    overall = {0.0: 0.200, 1.0: 0.199, 2.0: 0.197, 3.0: 0.19}
    curve = [Score("M2TRec", "valid", "All", LISTED_NEW, b, hit, 0.0, 10, 7) for b, hit in overall.items()]
    curve += [Score("M2TRec", "test", "All", LISTED_NEW, b, 0.5, 0.0, 10, 7) for b in overall]
    curve += [Score("M2TRec", "valid", "All", WITHOUT_HISTORY, b, 0.5, 0.0, 10, 7) for b in overall]
    assert choose_boost(curve, LISTED_NEW, allowed_loss=0.02) == 2.0
    assert choose_boost(curve, LISTED_NEW, allowed_loss=0.0) == 0.0
    assert choose_boost(curve, WITHOUT_HISTORY) == 3.0


def test_the_mean_over_draws_counts() -> None:
    scores = [Score("M2TRec", "test", "cold target", "", None, hit, hit / 2, 10, 7) for hit in (0.1, 0.3)]
    scores.append(Score("content kNN", "test", "cold target", "", None, 0.2, 0.1, 10, 7))
    ours, theirs = over_draws(scores)
    assert (ours.hit, ours.mrr, ours.n) == (pytest.approx(0.2), pytest.approx(0.1), 20)
    assert ours.seed is None
    assert ours.spread == pytest.approx(np.std([0.1, 0.3], ddof=1))
    assert (theirs.hit, theirs.spread) == (0.2, None)


def test_a_boost_lifts_the_items_it_is_for() -> None:
    scores = np.array([[-np.inf, 1, 2, 3]], np.float32)
    lifted = BoostedScores(scores, np.array([False, False, True, False]), 1.5)
    prefixes = Sessions.from_lists([[1, 2]]).prefixes()
    assert lifted.score(prefixes).tolist() == [[-np.inf, 1, 3.5, 3]]
    assert lifted.score(prefixes).dtype == np.float32
    assert scores.tolist() == [[-np.inf, 1, 2, 3]], "the same scores are lifted again"


def test_a_curve_is_measured_on_catalogues_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scores of three of the five prefixes are as many as may be held at a time."""
    monkeypatch.setattr(ranking, "MAX_BLOCK_SCORES", 12)
    bench = object.__new__(ColdBench)
    bench.config, bench.catalogue = tiny_config(), make_catalogue([3, 2, 1])
    bench.drawn = np.array([False, False, False, True])
    bench.all = {"valid": Sessions.from_lists([[1, 2, 3, 1, 2, 3]]).prefixes()}
    lowest_first = FunctionScorer(lambda prefix: [0.0, -1.0, -2.0, -3.0])
    curve = bench.curve(lowest_first, "valid", LISTED_NEW)
    assert [(score.boost, score.n, score.hit) for score in curve] == [(boost, 5, 1.0) for boost in BOOSTS]


@pytest.mark.slow
def test_new_items_are_measured_both_ways(tmp_path: Path) -> None:
    settings = {**SHOP, "work_dir": str(tmp_path / "run"), "data": {**SHOP["data"], "cold_item_share": 0.1}}
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(settings))
    command = ["-c", str(tmp_path / "shop.yaml"), "--output", str(tmp_path / "out")]
    assert main("experiments", MEMBERS, ["cold", *command]) == 0
    rows = json.loads((tmp_path / "out" / "cold-shop.json").read_text())
    committed = json.loads((ROOT / "experiments" / "results" / "cold-instacart_cold.json").read_text())
    assert set(rows[0]) == set(committed[0])
    alone = [r["value"] for r in rows if (r["model"], r["metric"]) == ("M2TRec", "HIT")]
    assert len(alone) == 2 and all(0 < hit <= 1 for hit in alone)
    for kind, model in SERVED.items():
        ours = [r for r in rows if r["split"] == "test" and r["model"] == model]
        values = {(r["metric"], r["slice"], r["boost"]): r["value"] for r in ours}
        hit, mrr = (
            {key[1:]: v for key, v in values.items() if key[0] == metric} for metric in ("HIT", "MRR")
        )
        assert {r["boosted"] for r in ours} == {"", kind}
        plain = hit["cold target", None]
        assert hit["cold target among cold items", None] >= plain == hit["cold target", 0.0]
        curve = [hit["cold target", boost] for boost in BOOSTS]
        assert curve == sorted(curve), "a higher boost never hides a new item that a lower one showed"
        assert mrr["cold target", BOOSTS[-1]] > mrr["cold target", 0.0]
    assert (tmp_path / "out" / "cold-shop.svg").read_text().endswith("</svg>\n")
    bench = ColdBench(Prepared(load_config(tmp_path / "shop.yaml")))
    prefixes = bench.cold
    assert bench.drawn[prefixes.targets].all()
    assert not any(bench.drawn[prefixes.items(i)].any() for i in range(len(prefixes)))
    seen = np.unique(bench.data.train.rows)
    assert not bench.drawn[seen].any()


def test_data_without_cold_items_are_refused(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump({**SHOP, "work_dir": str(tmp_path / "run")}))
    with pytest.raises(ConfigError, match="cold_item_share is 0"):
        main(
            "experiments",
            MEMBERS,
            ["cold", "-c", str(tmp_path / "shop.yaml"), "--output", str(tmp_path / "out")],
        )


def test_every_draw_has_a_folder_of_its_own() -> None:
    config = load_config(Path("configs/instacart_cold.yaml"))
    assert draw_of(config, config.seed) == config
    other = draw_of(config, config.seed + 1)
    assert other.seed == config.seed + 1
    assert other.name == config.name, "results of all draws belong together"
    assert other.directory != config.directory
    assert other.directory != draw_of(config, config.seed + 2).directory


def test_the_default_configuration_draws_what_the_committed_page_says() -> None:
    parser = Parser("experiments", "cold", "")
    cold.options(parser)
    config = read(parser.parse_args([]))
    page = (ROOT / "experiments" / "results" / f"cold-{config.name}.md").read_text()
    assert f"\n{100 * config.data.cold_item_share:g} % of the seen items drawn to be new" in page
    assert config.data.cold_item_share > 0


def test_cold_protocol_wants_a_prefix_of_seen_items() -> None:
    prefixes = Sessions.from_lists([[1, 4, 4], [4, 4], [1, 2]]).prefixes()
    cold = cold_target_only(prefixes, make_catalogue([500, 10, 9, 0]), EvaluationConfig())
    assert cold.tolist() == [True, False, False, False]
