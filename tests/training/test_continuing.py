"""The verb `train` from an earlier run: which sessions, from which weights, and what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from m2trec_merlin.artifacts import read_json
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config, TrainingConfig
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.model.storage import load_model
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.runs import Run
from m2trec_merlin.tracking import Recording
from m2trec_merlin.training import run as run_module
from m2trec_merlin.training.continuing import Continuation, Drawn, continued
from m2trec_merlin.training.run import train
from tests.told import Told
from tests.training.test_run import MODEL
from tests.worlds.raw_run import ITEMS, SESSIONS, make_config, write_data

TRAINING: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 2,
    "warmup_steps": 4,
    "precision": "float32",
    "threads": 1,
    "continued": {"old_sessions": 0.5},
}
#: "a" goes on, "b" stays as it was, "f" is new, and so is its item 15.
TODAY = {
    "train": {"b": [11, 10], "a": [12, 11, 11, 10], "f": [15, 11]},
    "valid": {"d": [11, 13]},
    "test": {"c": [10, 14]},
}


def day(folder: Path, sessions: dict[str, dict[Any, list[Any]]], **sections: Any) -> Config:
    new = ITEMS[:1].assign(item_id=15, title="Blue cheese", maker=6.0)
    write_data(folder, pd.concat([ITEMS, new], ignore_index=True), sessions)
    parts = {"model": MODEL, "training": TrainingConfig.model_validate(TRAINING), **sections}
    return make_config(folder).model_copy(update=parts)


@pytest.fixture(scope="module")
def yesterday(tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = day(tmp_path_factory.mktemp("yesterday"), SESSIONS)
    preprocess(config)
    train(config)
    return Run(config)


@pytest.fixture(scope="module")
def today(yesterday: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = day(tmp_path_factory.mktemp("today"), TODAY)
    preprocess(config, earlier=yesterday)
    return Run(config)


@pytest.mark.parametrize(("share", "expected"), [(0.0, ["a", "f"]), (1.0, ["b", "a", "f"])])
def test_sessions_that_are_new_or_went_on_are_trained_on_and_a_share_of_the_others(
    yesterday: Run, today: Run, tmp_path: Path, share: float, expected: list[str]
) -> None:
    continuation = Continuation(today, yesterday, Catalogue.load(today.catalogue))
    drawn = continuation.write_sessions(tmp_path / "sessions", share, seed=0)
    assert (drawn.new, drawn.old) == (2, len(expected) - 2)
    written = [pq.read_table(file) for file in sorted((tmp_path / "sessions").iterdir())]
    assert [name for table in written for name in table["session_id"].to_pylist()] == expected


def test_sessions_that_only_lack_items_that_are_gone_are_known(tmp_path: Path) -> None:
    """What a shop lists no more is in no table of today: nothing of these sessions is new."""
    longer = {"data": make_config(tmp_path, max_session_length=4).data}
    then = {**SESSIONS, "train": {"b": [11, 10, 12], "a": [12, 11, 11], "g": [10, 10]}}
    earlier = day(tmp_path / "yesterday", then, **longer)
    preprocess(earlier)
    now = {"train": {"b": [11, 12], "a": [12, 11], "f": [12, 11]}, "valid": {"d": [11, 13]}}
    config = day(tmp_path / "today", {**SESSIONS, **now}, **longer)
    write_data(tmp_path / "today", ITEMS[1:], {})
    preprocess(config, earlier=Run(earlier))
    continuation = Continuation(Run(config), Run(earlier), Catalogue.load(Run(config).catalogue))
    drawn = continuation.write_sessions(tmp_path / "sessions", 0.0, seed=0)
    written = [pq.read_table(file) for file in sorted((tmp_path / "sessions").iterdir())]
    # Of "a", an event is gone whose item is still there.
    assert [name for table in written for name in table["session_id"].to_pylist()] == ["a", "f"]
    assert (drawn.new, drawn.old) == (2, 0)


def test_sessions_that_were_held_out_after_they_were_trained_on_are_known(
    yesterday: Run, tmp_path: Path
) -> None:
    other = {"train": {"d": [11, 13], "f": [15, 11]}, "valid": {"b": [11, 10], "g": [12, 10]}}
    between = day(tmp_path / "between", {**SESSIONS, **other})
    preprocess(between, earlier=yesterday)
    now = {"train": {"b": [11, 10], "f": [15, 11], "h": [13, 15]}, "valid": {"g": [12, 10]}}
    config = day(tmp_path / "now", {**SESSIONS, **now})
    preprocess(config, earlier=Run(between))
    continuation = Continuation(Run(config), Run(between), Catalogue.load(Run(config).catalogue))
    assert continuation.write_sessions(tmp_path / "sessions", 1.0, seed=0) == Drawn(new=1, old=2)


def test_training_goes_on_from_the_earlier_weights_and_stores_a_model_like_any(
    yesterday: Run, today: Run
) -> None:
    told = Told()
    # So slowly that weights hardly move: they are those of yesterday, the new item's own are new.
    slow = TrainingConfig.model_validate({**TRAINING, "learning_rate": 1e-7, "item_learning_rate": 1e-7})
    config = today.config.model_copy(update={"training": slow})
    folder = train(config, earlier=yesterday, progress=told)
    assert any(line.startswith(f"from {yesterday.model}: 2 new sessions") for line in told.lines)
    manifest = read_json(folder / "manifest.json")
    assert (manifest["new_sessions"], manifest["earlier"]) == (2, str(yesterday.model))
    catalogue = Catalogue.load(today.catalogue)
    model = load_model(folder, catalogue)
    before = load_file(yesterday.model / "model.safetensors")
    name = next(name for name in before if name.endswith("session_encoder.positions.weight"))
    torch.testing.assert_close(model.state_dict()[name], before[name], atol=1e-5, rtol=0)
    told = Told()
    train(config, earlier=yesterday, progress=told)
    assert told.lines == [f"{folder} is up to date"]
    assert "is up to date" not in _tell(config)


def _tell(config: Config) -> str:
    told = Told()
    train(config, progress=told)
    return told.text


def test_how_long_the_earlier_training_took_changes_nothing(yesterday: Run, today: Run) -> None:
    folder = train(today.config, earlier=yesterday)
    manifest = yesterday.model / "manifest.json"
    before = manifest.read_text()
    history = read_json(manifest)["sha256"]["history.json"]
    manifest.write_text(before.replace(history, "of another history"))
    told = Told()
    train(today.config, earlier=yesterday, progress=told)
    manifest.write_text(before)
    assert told.lines == [f"{folder} is up to date"]


def test_the_days_can_follow_each_other(yesterday: Run, today: Run, tmp_path: Path) -> None:
    train(today.config, earlier=yesterday)
    tomorrow = day(tmp_path, {**TODAY, "train": {**TODAY["train"], "h": [13, 15]}})
    preprocess(tomorrow, earlier=today)
    manifest = read_json(train(tomorrow, earlier=today) / "manifest.json")
    assert manifest["new_sessions"] == 1


def test_a_model_of_other_settings_is_named(yesterday: Run, today: Run) -> None:
    wider = today.config.model_copy(update={"model": MODEL.model_copy(update={"width": 32})})
    with pytest.raises(ArtifactError, match=r"model.width: 16 there, 32 here\): configure the same"):
        train(wider, earlier=yesterday)


def test_a_run_that_was_preprocessed_by_itself_is_refused(yesterday: Run, tmp_path: Path) -> None:
    config = day(tmp_path, TODAY)
    preprocess(config)
    with pytest.raises(ArtifactError, match=r"does not start from .*: run `m2trec preprocess --from"):
        train(config, earlier=yesterday)


def test_without_new_sessions_there_is_nothing_to_go_on_with(
    yesterday: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = day(tmp_path, SESSIONS)
    preprocess(config, earlier=yesterday)
    tracker = Mock()
    monkeypatch.setattr(run_module, "recordings", lambda config, progress: [Recording(tracker, progress)])
    with pytest.raises(ArtifactError, match=r"holds no session that .* was not trained on"):
        train(config, earlier=yesterday)
    tracker.state.assert_not_called()
    assert not Run(config).model.exists(), "a model that is half made would ask for a training"


def test_learning_rates_and_warm_up_are_those_of_going_on() -> None:
    config = TrainingConfig.model_validate(
        {"warmup_steps": 100, "continued": {"epochs": 2, "learning_rates": 0.5}}
    )
    found = continued(config, batches=30)
    assert (found.epochs, found.warmup_steps) == (2, 12)
    np.testing.assert_allclose(
        [found.learning_rate, found.item_learning_rate],
        [config.learning_rate / 2, config.item_learning_rate / 2],
    )


def test_items_that_no_training_saw_need_a_training_of_their_own(yesterday: Run, today: Run) -> None:
    data = today.config.data.model_copy(update={"cold_item_share": 0.1})
    run = Run(today.config.model_copy(update={"data": data}))
    with pytest.raises(ArtifactError, match=r"^data\.cold_item_share takes items out of training that"):
        Continuation(run, yesterday, Catalogue.load(today.catalogue))
