"""The paper's tables: which cells there are, what is kept of them, and how they become rows."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console

from benchmarks.frame.commands import main
from benchmarks.frame.keep import Store
from benchmarks.frame.prepare import Prepared
from benchmarks.runners.exchange import Flat
from experiments.__main__ import MEMBERS
from experiments.paper.bench import PaperBench
from experiments.paper.cells import Cell, choose, plan
from experiments.paper.recbole import BestLook, concatenate
from experiments.paper.report import next_item_table
from experiments.paper.results import CellResult, to_rows
from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.config import Config, load_config
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.evaluation.measurements import Measurement

CATEGORIES_ONLY = Config.model_validate(
    {
        "name": "views",
        "attributes": [{"name": "category", "kind": "categorical"}],
        "model": {"next_attributes": [{"attribute": "category"}]},
    }
)
SHOP = {
    "name": "shop",
    "data": {
        "source": "synthetic",
        "options": {"n_sessions": 300, "n_items": 60, "n_categories": 4},
        "max_session_length": 8,
    },
    "attributes": [
        {"name": "title", "kind": "text", "vocabulary_size": 200},
        {"name": "category", "kind": "categorical"},
    ],
    "model": {
        "width": 16,
        "session": {"heads": 2, "feedforward": 32},
        "next_item": {"negatives": 32},
        "next_attributes": [{"attribute": "category"}],
    },
    "training": {"epochs": 1, "batch_size": 64},
    "evaluation": {"bootstrap_samples": 5},
}


def measurement(model: str, value: float, seed: int, slice_name: str = "All") -> Measurement:
    return Measurement(model, "shop", "test", slice_name, "HIT", 20, value, None, None, 50, seed, 1.0, "all")


def result(title: str, seed: int, value: float, seconds: float = 10.0) -> CellResult:
    cell = Cell("variant", title.lower(), title, seed)
    measured = [measurement(title, value, seed), measurement(title, value / 2, seed, "Sparse")]
    return CellResult(cell, "abc1234", 1000, seconds, 2, measured, [], [{"epoch": 1, "loss": 2.0}], cores=4)


def test_a_table_has_what_the_data_allow() -> None:
    cells = plan(CATEGORIES_ONLY, [42])
    variants = [cell.model for cell in cells if cell.kind == "variant"]
    assert "trec_title" not in variants, "these data have no title"
    assert {"m2trec", "metrec", "trec_id", "mutrec_id"} <= set(variants)
    assert [cell.model for cell in cells if cell.kind == "recbole"] == ["STAMP", "GRU4Rec", "NARM"]
    assert [cell.model for cell in cells if cell.kind == "categories"] == ["frequent", "predicted"]


def test_further_seeds_are_for_some_variants_alone() -> None:
    one, three = plan(CATEGORIES_ONLY, [1]), plan(CATEGORIES_ONLY, [1, 2, 3], every_seed=["trec_id"])
    assert three[: len(one)] == one
    assert [(cell.model, cell.seed) for cell in three[len(one) :]] == [("trec_id", 2), ("trec_id", 3)]


def test_what_is_served_is_of_variants_that_are_trained() -> None:
    cells = plan(CATEGORIES_ONLY, [1, 2], every_seed=["m2trec_id"])
    served = [cell for cell in cells if cell.kind == "served"]
    assert [cell.slug for cell in served] == ["m2trec+served-1", "m2trec_id+served-1", "m2trec_id+served-2"]
    assert all(cell.trained in cells for cell in served)


def test_cells_are_chosen_by_the_start_of_their_names() -> None:
    cells = plan(CATEGORIES_ONLY, [1, 2])
    assert [cell.slug for cell in choose(cells, ["trec_id"])] == ["trec_id-1", "trec_id-2"]
    assert [cell.slug for cell in choose(cells, ["narm-1"])] == ["narm-1"]
    with pytest.raises(ConfigError, match="no cell 'gnn'; there are: m2trec-1"):
        choose(cells, ["gnn"])


def test_wrong_seeds_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        plan(CATEGORIES_ONLY, [])
    with pytest.raises(ConfigError, match=r"no variant \['sasrec'\]"):
        plan(CATEGORIES_ONLY, [1], every_seed=["sasrec"])


def test_a_kept_cell_is_read_back_unless_what_it_depends_on_changed(tmp_path: Path) -> None:
    kept = result("M2TRec", 42, 0.25)
    store = Store(tmp_path, CellResult)
    store.write("cell", "key", kept)
    assert store.read("cell", "key") == kept
    assert store.read("cell", "other") is None
    assert store.read("none", "key") is None


def test_rows_are_those_of_the_cells_then_means_over_seeds() -> None:
    results = [result("M2TRec", 1, 0.2), result("M2TRec", 2, 0.4, seconds=20.0), result("NARM", 1, 0.1)]
    rows = to_rows(results, [each.cell for each in results])
    plain = [row for row in rows if row["seed"] is not None and row["metric"] == "HIT"]
    assert [(r["model"], r["slice"], r["value"], r["seed"]) for r in plain if r["slice"] == "All"] == [
        ("M2TRec", "All", 0.2, 1),
        ("M2TRec", "All", 0.4, 2),
        ("NARM", "All", 0.1, 1),
    ]
    names = {"model", "data", "split", "slice", "metric", "k", "value", "n", "seed", "seconds", "commit"}
    assert all(set(row) == names for row in plain)
    [mean] = [row for row in rows if row["seed"] is None and row["slice"] == "All"]
    assert (mean["model"], mean["value"], mean["seconds"]) == ("M2TRec", pytest.approx(0.3), 15.0)
    assert mean["spread"] == pytest.approx(np.std([0.2, 0.4], ddof=1))
    assert {"parameters", "epochs", "cores"} <= {row["metric"] for row in rows}


def test_rows_that_were_published_stay_until_their_cells_are_measured_again() -> None:
    old = [result("M2TRec", 1, 0.2), result("M2TRec", 2, 0.4), result("NARM", 1, 0.1), result("gone", 1, 0.3)]
    published = to_rows(old, [each.cell for each in old])
    rows = to_rows([result("M2TRec", 2, 0.6)], [each.cell for each in old[:3]], published)
    hits = [(r["model"], r["value"], r["seed"]) for r in rows if (r["metric"], r["slice"]) == ("HIT", "All")]
    assert hits == [("M2TRec", 0.2, 1), ("M2TRec", 0.6, 2), ("NARM", 0.1, 1), ("M2TRec", 0.4, None)]


def test_the_table_shows_means_with_their_spread() -> None:
    results = [result("M2TRec", 1, 0.2), result("M2TRec", 2, 0.4), result("NARM", 1, 0.1)]
    rows = to_rows(results, [each.cell for each in results])
    lines = next_item_table(["M2TRec", "never measured", "NARM"], rows).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| M2TRec | 30.00 ± 14.14 | - |")
    assert lines[3].startswith("| NARM | 10.00 | - |")
    assert "| 1,000 | 2 | 4 | 10 | abc1234 |" in lines[3]


def test_test_lists_are_those_of_the_best_moment_on_validation() -> None:
    """Two validation prefixes, one test prefix; the score of a look is its first validation row."""
    best = BestLook(lambda lists: (lists[0, 0] / 10, 0.0), n_validation=2)
    for number in (3, 7, 5):
        assert best(np.array([[number], [0], [100 + number]])) == (number / 10, 0.0)
    assert best.test_lists is not None
    assert best.test_lists.tolist() == [[107]]


def test_lists_are_joined() -> None:
    one, other = Flat(np.array([1, 2]), np.array([0, 1, 2])), Flat(np.array([3]), np.array([0, 0, 1]))
    both = concatenate(one, other)
    assert both.rows.tolist() == [1, 2, 3]
    assert both.offsets.tolist() == [0, 1, 2, 2, 3]


@pytest.mark.slow
def test_a_table_of_our_own_cells_is_made_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump({**SHOP, "work_dir": str(tmp_path / "run")}))
    command = ["-c", str(tmp_path / "shop.yaml"), "--output", str(tmp_path / "out")]
    command += ["--cells", "metrec", "m2trec", "popularity", "predicted"]
    assert main("experiments", MEMBERS, ["paper", *command]) == 0
    rows = json.loads((tmp_path / "out" / "paper-shop.json").read_text())
    hits = {
        row["model"]: row["value"]
        for row in rows
        if (row["slice"], row["metric"], row["k"]) == ("All", "HIT", 20)
    }
    assert {"M2TRec", "M2TRec, served", "MeTRec", "popularity"} <= set(hits)
    assert all(0 < hit < 1 for hit in hits.values())
    page = (tmp_path / "out" / "paper-shop.md").read_text()
    assert "| top-N predicted (MeTRec) |" in page
    for plot in ("tables", "occurrences", "category-category", "learning-curves"):
        assert f"(paper-shop-{plot}.svg)" in page
        assert (tmp_path / "out" / f"paper-shop-{plot}.svg").read_text().endswith("</svg>\n")

    def must_not_run(*arguments: object) -> None:
        raise AssertionError("a kept cell ran again")

    monkeypatch.setattr(PaperBench, "run", must_not_run)
    assert main("experiments", MEMBERS, ["paper", *command]) == 0
    assert json.loads((tmp_path / "out" / "paper-shop.json").read_text()) == rows

    bench = PaperBench(Prepared(load_config(tmp_path / "shop.yaml")), 1.0, "abc1234", Console(quiet=True))
    picture = parse_attribute(name="picture", kind="vector", size=2)
    bench.config = bench.config.model_copy(update={"attributes": [*bench.config.attributes, picture]})
    kept = {cell.model for cell in plan(bench.config, [42]) if bench.kept(cell) is not None}
    assert kept == {"popularity"}, "it alone does not read pictures"
