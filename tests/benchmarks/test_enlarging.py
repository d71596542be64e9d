from __future__ import annotations

from pathlib import Path

import pytest

import m2trec_merlin as m2trec
from benchmarks.__main__ import MEMBERS
from benchmarks.frame.commands import main
from m2trec_merlin.contract.checksums import require_sealed
from m2trec_merlin.manifests import require_manifest
from tests.worlds.shop import N_ITEMS, Shop


def test_an_export_with_more_items_is_served_as_any_other(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.enlarging.read_sessions", lambda _: [["sku-1", "sku-2"], ["sku-3"]])
    before, big = shop.predict.parents[1], tmp_path / "big"
    words = ["--repository", str(before), "--data", str(tmp_path), "--items", "100", "--into", str(big)]
    assert main("benchmarks", MEMBERS, ["enlarge", *words]) == 0
    require_sealed(big)
    assert require_manifest(big, "export")["items"] == 100
    answer = m2trec.load(before).recommend(["sku-1", "sku-2"], top_k=N_ITEMS)
    larger = m2trec.load(big).recommend(["sku-1", "sku-2"], top_k=100)
    scores = dict(zip(larger.item_ids, larger.scores, strict=True))
    assert len(scores) == 100 and sum("~" in item_id for item_id in scores) == 100 - N_ITEMS
    for item_id, score in zip(answer.item_ids, answer.scores, strict=True):
        assert scores[item_id] == pytest.approx(score, rel=1e-5)
