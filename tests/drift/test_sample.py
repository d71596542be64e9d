"""Which sessions are compared, and how their items are encoded."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.drift import sample as sampling
from m2trec_merlin.drift.measures import Limits
from m2trec_merlin.drift.run import find_drift
from m2trec_merlin.drift.sample import WholeSessions, read_sample
from m2trec_merlin.encoded import NO_ITEM, OUT_OF_VOCABULARY
from m2trec_merlin.errors import ArtifactError, NothingToDoError
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.readers.canonical import SPLITS
from m2trec_merlin.runs import Run, RunFolder
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
    known = WholeSessions(trained.data, SPLITS).hashes()
    assert len(known) == 5
    found = read_sample(WholeSessions(new_data(tmp_path), SPLITS), workflow, catalogue, 0, known)
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
        found += WholeSessions(data, ["train"]).hashes().tolist()
    assert found[:5] == found[5:] and len(set(found)) == 5


def test_sessions_that_only_lack_items_that_are_gone_are_known(tmp_path: Path) -> None:
    then = {"train": {"b": [11, 10, 12], "a": [12, 11], "g": [10, 10]}}
    old = WholeSessions(write_data(tmp_path / "then", ITEMS, then), ["train"], only=frozenset({"11", "12"}))
    now = {"train": {"b": [11, 12], "a": [12, 11]}}
    new = WholeSessions(write_data(tmp_path / "now", ITEMS[1:], now), ["train"])
    assert old.hashes().tolist() == new.hashes().tolist()


def test_where_items_are_gone_and_nothing_else_is_other_there_is_nothing_to_compare(tmp_path: Path) -> None:
    trained = Run(preprocessed(tmp_path / "trained"))
    sessions = {
        "train": {"a": SESSIONS["train"]["a"]},
        "valid": {"d": [11, 13]},
        "test": {"c": [14, 13], "e": [12, 12]},
    }
    new = RunFolder.at(tmp_path / "today")
    for data in (trained.data, write_data(new.directory, ITEMS[1:], sessions)):
        write_manifest(data, "data", {"data": {"split": {"kind": "hash"}}})
    with pytest.raises(NothingToDoError, match="nothing is new"):
        find_drift(new, trained, Limits())


@pytest.mark.parametrize("altered", ["trained", "today"])
def test_parts_that_were_altered_are_not_compared(altered: str, tmp_path: Path) -> None:
    trained, new = Run(preprocessed(tmp_path / "trained")), RunFolder.at(tmp_path / "today")
    new_data(new.directory)
    for run in (trained, new):
        write_manifest(run.data, "data", {"data": {"split": {"kind": "hash"}}})
    assert find_drift(new, trained, Limits()).sessions
    other = write_data(tmp_path / "other", ITEMS, {"train": {"x": [12, 12]}})
    part = Path("interactions/train/part-00000.parquet")
    (other / part).replace(tmp_path / altered / "data" / part)
    remedy = {"trained": "drift is measured from the data", "today": "run `m2trec data --force`"}[altered]
    with pytest.raises(ArtifactError, match=f"{altered}/data/{part} is altered: {remedy}"):
        find_drift(new, trained, Limits())


@pytest.mark.parametrize("per_part", [1, 9])
def test_sessions_are_the_same_ones_however_they_are_split(tmp_path: Path, per_part: int) -> None:
    whole = {"a": [10, 11, 12, 13], "b": [10, 11, 12, 10], "short": [10, 11], "v": [12, 13]}
    nested = {
        "train": {"a": [10, 11], "b": [10, 11], "short": [10, 11], "v": [12, 13]},
        "valid": {"a": [10, 11, 12], "b": [10, 11, 12]},
        "test": {"a": whole["a"], "b": whole["b"]},
    }
    apart = {
        "train": {"a": whole["a"], "short": whole["short"]},
        "valid": {"v": whole["v"]},
        "test": {"b": whole["b"]},
    }
    found = {}
    for kind, sessions in (("leave_one_out", nested), ("hash", apart)):
        data = write_data(tmp_path / kind, ITEMS, sessions, per_part)
        write_manifest(data, "data", {"data": {"split": {"kind": kind}}})
        found[kind] = set(WholeSessions.of(data).hashes().tolist())
        assert len(found[kind]) == len(WholeSessions.of(data).hashes()) == 4
    assert found["leave_one_out"] == found["hash"]
    assert len(WholeSessions.of(tmp_path / "hash" / "data", training=True).hashes()) == 2
    seen = WholeSessions.of(tmp_path / "leave_one_out" / "data", training=True)
    assert sorted(length for *_, lengths in seen.parts() for length in lengths) == [2, 2, 4, 4]


def test_where_there_are_many_sessions_some_are_drawn(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "MOST_SESSIONS", 2)
    catalogue, workflow = Catalogue.load(trained.catalogue), load_workflow(trained.items_workflow)
    draws = [read_sample(WholeSessions(trained.data, SPLITS), workflow, catalogue, seed) for seed in range(9)]
    assert {len(draw.sessions) for draw in draws} == {2}
    assert len({tuple(draw.sessions.rows) for draw in draws}) > 1
