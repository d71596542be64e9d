"""Commands in messages are those that mend what the message is about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from m2trec_merlin.cli.remedies import complete, remember, remember_folder
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.runs import Run
from tests.runs.folders import configure


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Path]:
    """Two runs with data, of which this call's is `mine`."""
    for name in ("mine", "other"):
        (tmp_path / name / "data").mkdir(parents=True)
        write_manifest(tmp_path / name / "data", "data", {})
    remember(Path("my shop.yaml"), ["seed=1"], None)
    remember_folder(tmp_path / "mine")
    yield tmp_path
    remember(None, [], None)


def test_advice_for_the_own_run_has_the_options_of_the_call(runs: Path) -> None:
    begins = [
        f"{runs}/mine/preprocessed is not there yet",
        f"{runs}/clicks.csv: no such file",
        "x" * 999 + "/data",
    ]
    for what in begins:
        assert complete(f"{what}: run `m2trec preprocess` first") == (
            f"{what}: run `m2trec preprocess -c 'my shop.yaml' -s seed=1` first"
        )


def test_settings_of_another_model_are_not_changed_by_training_this_one(runs: Path) -> None:
    saved = configure(runs / "other")
    today = configure(runs / "other", "training.epochs", 3)
    [line] = Run(today).as_trained(saved)[1]
    assert complete(line).endswith(f"run `m2trec train` with the configuration of {runs}/other to change it")


@pytest.mark.parametrize("begin", ["", "the model in "])
def test_advice_for_another_run_names_it(runs: Path, begin: str) -> None:
    what = f"{begin}{runs}/other/model is of an earlier format"
    assert complete(f"{what}: run `m2trec train --force`") == (
        f"{what}: run `m2trec train --force` with the configuration of {runs}/other"
    )
