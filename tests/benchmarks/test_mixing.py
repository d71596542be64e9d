from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import observing
from benchmarks.__main__ import MEMBERS
from benchmarks.frame.commands import main
from m2trec_merlin.config.serving import FixedMixture
from m2trec_merlin.serving.export.run import export
from tests.worlds.shop import build_shop


def test_exports_with_and_without_a_mixture_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(observing, "_WARM_UP", 1)
    config, _, _ = build_shop(tmp_path)
    alone = shutil.move(export(config), tmp_path / "alone")
    serving = config.serving.model_copy(update={"mixture": FixedMixture(by_id=3)})
    mixed = export(config.model_copy(update={"serving": serving}))
    words = ["--repository", str(mixed), str(alone), "--rounds", "3", "--output", str(tmp_path)]
    assert main("benchmarks", MEMBERS, ["mixing", *words]) == 0
    records = json.loads((tmp_path / "mixing.json").read_text())
    values = {(record["system"], record["measure"]): record["value"] for record in records}
    assert {system for system, _ in values} == {str(mixed), str(alone)}
    assert len(values) == 8 and all(value > 0 for value in values.values())
    shown = capsys.readouterr().out
    assert "by_id 3, beside 0.25, content 0.25" in shown and "| off |" in shown
