from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import MEMBERS
from benchmarks.frame.commands import main
from benchmarks.indexes import enlarge
from m2trec_merlin.search.indexes import INDEXES
from tests.worlds.shop import Shop


def test_a_larger_catalogue_holds_the_items_again_with_noise() -> None:
    vectors = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    biases = np.array([-np.inf, 1, 2, 3, 4], np.float32)
    larger, more_biases = enlarge(vectors, biases, 10)
    np.testing.assert_array_equal(larger[:5], vectors)
    assert more_biases.tolist() == [-np.inf, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2]
    assert not np.isclose(larger[5:9], vectors[1:]).any()
    fewer, _ = enlarge(vectors, biases, 2)
    np.testing.assert_array_equal(fewer, vectors[:3])


def test_every_index_is_measured(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = [["sku-1", "sku-2"], ["sku-3"], ["unheard"], *[["sku-2", "sku-5"]] * 7]
    monkeypatch.setattr("benchmarks.indexes.read_sessions", lambda _: sessions)
    repository = shop.predict.parents[1]
    words = ["--repository", str(repository), "--data", str(tmp_path), "--items", "40", "200"]
    assert main("benchmarks", MEMBERS, ["indexes", *words, "--output", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "indexes.json").read_text())
    assert [(row["items"], row["index"]) for row in rows] == [
        (n, name) for n in (40, 200) for name in INDEXES
    ]
    assert all(row["recall_at_20"] >= 0.99 and row["ms_alone"] > 0 < row["ms_of_eight"] for row in rows)
