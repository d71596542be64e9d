"""What the verb `evaluate` tells about the sessions that it scores."""

from __future__ import annotations

from pathlib import Path

from m2trec_merlin.evaluation.run import remarks_on
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.runs import Run
from tests.worlds.raw_run import make_config


def test_sessions_that_earlier_training_saw_are_told(tmp_path: Path) -> None:
    run = Run(make_config(tmp_path))
    run.preprocessed.mkdir()
    write_manifest(
        run.preprocessed, "preprocess", {}, sessions={"valid": {}, "test": {"trained_before": 1200}}
    )
    assert [text for _, text in remarks_on(run, "test")] == [
        "1,200 hold targets that earlier training saw (train --from): they are left out"
    ]
    assert remarks_on(run, "valid") == []
