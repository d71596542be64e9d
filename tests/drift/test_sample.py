"""Which sessions are compared, and how their items are encoded."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.artifacts import write_manifest
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.drift import sample as sampling
from m2trec_merlin.drift.sample import read_sample, session_hashes, splits_of
from m2trec_merlin.encoded import NO_ITEM, OUT_OF_VOCABULARY
from m2trec_merlin.runs import Run
from m2trec_merlin.workflows.storage import load_workflow
from tests.worlds.raw_run import ITEMS, SESSIONS, preprocessed, write_data


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(preprocessed(tmp_path_factory.mktemp("trained")))


def new_data(folder: Path) -> Path:
    new = ITEMS[:1].assign(item_id=15, maker=6.0, title=None)
    sessions = {**SESSIONS, "train": {"b": [11, 10], "n": [15, 15, 12]}, "test": {"m": [13, 10]}}
    return write_data(folder, pd.concat([ITEMS, new], ignore_index=True), sessions)


def test_new_sessions_are_read_with_items_as_the_trained_workflow_sees_them(
    trained: Run, tmp_path: Path
) -> None:
    catalogue, workflow = Catalogue.load(trained.catalogue), load_workflow(trained.items_workflow)
    known = session_hashes(trained.data, ["train", "valid", "test"])
    assert len(known) == 5
    splits = ["train", "valid", "test"]
    found = read_sample(new_data(tmp_path), splits, workflow, catalogue, 0, known)
    assert found.sessions.lengths.tolist() == [3, 2]
    # Items in the order of their ids as texts: 10, 12, 13, 15.
    assert found.count().tolist() == [1, 1, 1, 2]
    assert [catalogue.item_ids[row] for row in found.rows[:3]] == [10, 12, 13]
    assert found.rows[3] == NO_ITEM
    assert found.items["brand"].values[3] == OUT_OF_VOCABULARY


def test_a_session_is_another_one_with_its_id_its_items_or_their_order(tmp_path: Path) -> None:
    sessions = [
        ("a", [10, 11, 12]),
        ("b", [10, 11, 12]),
        ("a", [10, 11]),
        ("a", [11, 10, 12]),
        ("a", [10, 13, 12]),
    ]
    found = []
    for number, (session, items) in enumerate([*sessions, *sessions]):
        data = write_data(tmp_path / str(number), ITEMS, {"train": {session: items}})
        found += session_hashes(data, ["train"]).tolist()
    assert found[:5] == found[5:] and len(set(found)) == 5


def test_events_kept_from_training_are_no_sessions_of_their_own(tmp_path: Path) -> None:
    for kind, expected in (("leave_one_out", ["train"]), ("hash", ["train", "valid", "test"])):
        write_manifest(tmp_path, "data", {"data": {"split": {"kind": kind}}})
        assert list(splits_of(tmp_path)) == expected


def test_where_there_are_many_sessions_some_are_drawn(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "MOST_SESSIONS", 2)
    catalogue, workflow = Catalogue.load(trained.catalogue), load_workflow(trained.items_workflow)
    draws = [
        read_sample(trained.data, ["train", "valid", "test"], workflow, catalogue, seed) for seed in range(9)
    ]
    assert {len(draw.sessions) for draw in draws} == {2}
    assert len({tuple(draw.sessions.rows) for draw in draws}) > 1
