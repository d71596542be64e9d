"""The cross-validation of expected popularity."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.frame.commands import main
from experiments.__main__ import MEMBERS
from experiments.popularity import DRAWS, judge, predict
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.encoded import EncodedColumn, Field, Layout
from tests.experiments.test_paper import SHOP


def test_true_occurrences_explain_everything_and_their_mean_nothing() -> None:
    occurrences = np.random.default_rng(0).geometric(0.1, 2000)
    best = judge(occurrences.astype(float), occurrences, np.random.default_rng(0))
    mean = judge(np.full(2000, occurrences.mean()), occurrences, np.random.default_rng(0))
    assert best.explained == pytest.approx(1)
    assert mean.explained == pytest.approx(0)
    assert best.top_share > mean.top_share


def test_where_no_more_than_twenty_are_drawn_any_order_covers_them_all() -> None:
    occurrences = np.arange(1, 101)
    assert judge(np.ones(100), occurrences, np.random.default_rng(0)).top_share == pytest.approx(1)
    assert DRAWS > 1


def test_an_item_is_predicted_by_the_others_alone() -> None:
    """One of 40 items of category 3 is bought a thousand times: nothing foretells it."""
    category = np.array([1, *[3] * 40, *[4] * 40])
    counts = np.array([0, 1000, *[10] * 39, *[1] * 40])
    catalogue = Catalogue(
        np.arange(81), counts, {"category": EncodedColumn(Field("category", Layout.IDS, 5), category)}
    )
    config = Config.model_validate({"name": "x", "attributes": [{"name": "category", "kind": "categorical"}]})
    folds = np.arange(80) % 5
    predicted = predict(config, catalogue, ["category"], 1e-6, folds)
    assert predicted[0] == pytest.approx(10, rel=0.01)
    assert predicted[40:] == pytest.approx(1, rel=0.01)
    assert (predicted[1:40][folds[1:40] != 0] > 20).all(), "those whose fit saw it expect more"


@pytest.mark.slow
def test_a_report_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump({**SHOP, "work_dir": str(tmp_path / "run")}))
    command = ["-c", str(tmp_path / "shop.yaml"), "--output", str(tmp_path), "--penalties", "0.01", "1"]
    assert main("experiments", MEMBERS, ["popularity", *command]) == 0
    records = json.loads((tmp_path / "popularity-shop.json").read_text())
    assert {record["system"] for record in records} == {
        "all attributes, penalty 0.01",
        "all attributes, penalty 1",
        "without title, penalty 0.01",
        "without category, penalty 0.01",
        "known occurrences",
    }
    assert "known occurrences" in capsys.readouterr().out
