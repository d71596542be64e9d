"""What the verb `evaluate` tells about the sessions that it scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
    assert [text for _, text in remarks_on(run, "test", True)] == [
        "1,200 hold targets that earlier training saw (train --from): they are left out"
    ]


@pytest.mark.parametrize(
    ("epochs", "is_tuned", "chosen"),
    [
        (2, True, "the epoch of the model and the weights of its mixture"),
        (2, False, "the epoch of the model"),
        (1, True, "the weights of its mixture"),
        (1, False, None),
    ],
)
def test_what_was_chosen_on_validation_is_told_of_validation(
    tmp_path: Path, epochs: int, is_tuned: bool, chosen: str | None
) -> None:
    run = Run(make_config(tmp_path))
    for folder in (run.preprocessed, run.model):
        folder.mkdir()
    write_manifest(run.preprocessed, "preprocess", {}, sessions={"valid": {}, "test": {}})
    run.history.write_text(json.dumps([{"epoch": epoch + 1} for epoch in range(epochs)]))
    why = "so that it looks better on them than on others"
    expected = [] if chosen is None else [("Chosen on these", f"they chose {chosen}, {why}")]
    assert remarks_on(run, "valid", is_tuned) == expected
    assert remarks_on(run, "test", is_tuned) == []
