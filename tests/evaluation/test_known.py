"""What is known when validation sessions come, and when test sessions or customers do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.catalogue import ENCODED, Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.data.preparation import prepare_data
from m2trec_merlin.evaluation.known import Known, known_before, known_without
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.runs import HeldOut, Run
from m2trec_merlin.sessions import Sessions


def preprocessed(folder: Path, sessions: dict[str, list[str]], **data: Any) -> tuple[Run, Catalogue]:
    """Prepare and preprocess sessions, an event a minute in the order given."""
    events = [(name, item) for name, items in sessions.items() for item in items]
    table = pd.DataFrame(events, columns=["session_id", "item_id"])
    table["time"] = pd.date_range("2026-01-01", periods=len(table), freq="min")
    table["split"] = [name.rstrip("0123456789") for name in table["session_id"]]
    table.to_parquet(folder / "clicks.parquet", index=False)
    items = sorted(set(table["item_id"]) | {"never"})
    pd.DataFrame({"item_id": items, "colour": ["red"] * len(items)}).to_parquet(folder / "items.parquet")
    tables = {"interactions": folder / "clicks.parquet", "items": folder / "items.parquet"}
    config = Config(
        name="known",
        work_dir=folder / "run",
        attributes=[parse_attribute(name="colour", kind="categorical")],
        evaluation={"prefixes": "last"},
        data={"source": "tables", **tables, **data, "columns": {"order": "time", **data.get("columns", {})}},
    )
    prepare_data(config)
    preprocess(config)
    run = Run(config)
    return run, Catalogue.load(run.catalogue)


def named(catalogue: Catalogue, sessions: Sessions) -> list[list[str]]:
    return [catalogue.item_ids[sessions[index]].tolist() for index in range(len(sessions))]


def by_item(catalogue: Catalogue, values: np.ndarray | None) -> dict[str, Any]:
    assert values is not None
    return dict(zip(catalogue.item_ids[1:].tolist(), values[1:].tolist(), strict=True))


BY_COLUMN = {
    "train1": ["a", "b"] * 8,
    "valid1": ["b", "c", "c", "c"],
    "train2": ["a", "b"],
    "test1": ["a", "d"],
}


def test_validation_is_known_before_test_and_not_before_itself(tmp_path: Path) -> None:
    data = {"split": {"kind": "column"}, "columns": {"split": "split"}}
    run, catalogue = preprocessed(tmp_path, BY_COLUMN, **data)
    before_valid, before_test = (known_before(run, catalogue, split) for split in ("valid", "test"))
    trained = [["a", "b"] * 8, ["a", "b"]]
    assert named(catalogue, before_valid.sessions) == trained
    assert named(catalogue, before_test.sessions) == [*trained, ["b", "c", "c", "c"]]
    assert by_item(catalogue, before_valid.counts) == {"a": 9, "b": 9, "c": 0, "d": 0, "never": 0}
    assert by_item(catalogue, before_test.counts) == {"a": 9, "b": 10, "c": 3, "d": 0, "never": 0}
    # The last tenth of 22 events by time: the two of train2 and the last of valid1.
    assert by_item(catalogue, before_test.recent_counts) == {"a": 1, "b": 1, "c": 1, "d": 0, "never": 0}
    trends, rarity = (
        by_item(catalogue, each) for each in (before_test.trends, before_test.pasts(catalogue).rarity)
    )
    assert trends["c"] > 0 and trends["d"] == 0
    assert rarity["c"] == 1, "training, which the model knows, never saw it sell"
    told = before_test.as_training_counts(catalogue)
    assert by_item(catalogue, told.train_counts)["c"] == 3 and told.item_ids is catalogue.item_ids
    assert Known.training(catalogue, before_valid.sessions).trends is not None


def test_sessions_that_go_on_are_known_once(tmp_path: Path) -> None:
    """Of short sessions nothing is held out; none is known longer than training has any."""
    sessions = {"long": ["a", "b", "c", "d"], "short": ["c", "a"], "longer": ["a", "b", "c", "d", "a"]}
    run, catalogue = preprocessed(tmp_path, sessions, split={"kind": "leave_one_out"})
    before_valid, before_test = (known_before(run, catalogue, split) for split in ("valid", "test"))
    assert sorted(named(catalogue, before_valid.sessions)) == [["a", "b"], ["a", "b", "c"], ["c", "a"]]
    assert sorted(named(catalogue, before_test.sessions)) == [["a", "b", "c"], ["b", "c", "d"], ["c", "a"]]
    assert by_item(catalogue, before_test.counts) == {"a": 2, "b": 2, "c": 3, "d": 1, "never": 0}


@pytest.mark.parametrize("split", ["valid", "test"])
@pytest.mark.parametrize("kind", ["column", "leave_one_out"])
@pytest.mark.parametrize("longest", [2, 5])
def test_what_is_counted_is_what_is_known(tmp_path: Path, longest: int, kind: str, split: HeldOut) -> None:
    """Events that are cut are no occurrences, such as those of landing pages, with which sessions begin.

    Sessions that go on are of five events in validation where training has four.
    """
    sessions = {
        f"{name}{number}": [f"page{number % 2}", *"abcd"[number % 2 :], "ab"[number % 2]]
        for number, name in enumerate(["train"] * 6 + ["valid"] * 3 + ["test"] * 3)
    }
    columns = {"columns": {"split": "split"}} if kind == "column" else {}
    run, catalogue = preprocessed(
        tmp_path, sessions, split={"kind": kind}, max_session_length=longest, **columns
    )
    known = known_before(run, catalogue, split)
    assert known.counts.tolist() == np.bincount(known.sessions.rows, minlength=catalogue.n_rows).tolist()
    assert known.recent_counts is not None and (known.recent_counts <= known.counts).all()
    assert catalogue.n_seen == len(np.unique(Sessions.load(run.sessions("train")).rows))


def test_no_session_is_known_longer_than_those_of_training(tmp_path: Path) -> None:
    """A program that clicks for a day may come in validation as in training."""
    sessions = {
        "train1": ["a", "b", "a", "c", "b"],
        "train2": ["b", "a"],
        "valid1": ["a"] * 9 + ["b", "c"],
        "valid2": ["a", "b"],
        "test1": ["a", "b"],
    }
    data = {"split": {"kind": "column"}, "columns": {"split": "split"}, "max_session_length": 3}
    run, catalogue = preprocessed(tmp_path, sessions, **data)
    known = known_before(run, catalogue)
    assert named(catalogue, known.sessions) == [
        ["a", "c", "b"],
        ["b", "a"],
        ["a", "b", "c"],
        ["a", "b"],
    ]


def test_two_runs_are_compared_on_sessions_that_neither_knows(tmp_path: Path) -> None:
    """What the one holds back, the other may have been served with."""
    data = {"split": {"kind": "column"}, "columns": {"split": "split"}}
    later = {"valid1": ["a", "b"], "valid7": ["b", "d"]}
    (tmp_path / "now").mkdir()
    (tmp_path / "then").mkdir()
    now, _ = preprocessed(tmp_path / "now", {"train1": ["a", "b"], **later, "test1": ["a", "d"]}, **data)
    then, catalogue = preprocessed(tmp_path / "then", BY_COLUMN, **data)
    left = known_without(then, catalogue, now, "valid")
    assert named(catalogue, left.sessions) == [["a", "b"] * 8, ["a", "b"]], "valid1 is left out"
    assert left.counts is catalogue.train_counts
    other, _ = preprocessed(tmp_path / "now", {**BY_COLUMN, "valid8": ["a", "b"]}, **data)
    assert len(known_without(then, catalogue, other, "valid").sessions) == 2
    only = {"train1": ["a", "b"], "valid9": ["a", "b"], "test1": ["a", "d"]}
    other, _ = preprocessed(tmp_path / "now", only, **data)
    for split in ("test", "valid"):
        everything = known_without(then, catalogue, other, split)
        assert len(everything.sessions) == 3 and everything.counts is catalogue.known_counts


def test_catalogues_of_before_tell_of_training_alone(tmp_path: Path) -> None:
    data = {"split": {"kind": "column"}, "columns": {"split": "split"}}
    run, _ = preprocessed(tmp_path, BY_COLUMN, **data)
    path = run.catalogue / ENCODED
    pq.write_table(pq.read_table(path).drop_columns(["known_count", "known_recent_count"]), path)
    old = Catalogue.load(run.catalogue)
    known = known_before(run, old)
    assert len(known_before(run, old, "valid").sessions) == 2 and len(known.sessions) == 3
    assert (known.counts is old.train_counts) and (known.recent_counts is old.recent_counts)
