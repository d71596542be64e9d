"""Sessions that are held out today, of which the model to go on from has seen some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from m2trec_merlin.artifacts import read_json
from m2trec_merlin.column_names import TARGET
from m2trec_merlin.config import Config
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.readers.settings import LeaveOneOut, Targets
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import Sessions, read_ids, session_files, tells_targets
from tests.told import Told
from tests.worlds.raw_run import ITEMS, SESSIONS, make_config, write_data

ByName = dict[Any, list[Any]]

#: Another split than yesterday: all sessions that were for training are held out; "a" has gone on since.
OTHER_SPLIT = {
    "train": {"d": [11, 13], "f": [13, 10]},
    "valid": {"b": [11, 10], "g": [12, 10]},
    "test": {"a": [*SESSIONS["train"]["a"], 10], "c": [10, 14, 13]},
}


def day(folder: Path, sessions: dict[str, ByName], earlier: Run | None = None, **data: Any) -> Run:
    write_data(folder, sessions=sessions, sessions_per_part=1)
    return begun(make_config(folder, **data), earlier)


def begun(config: Config, earlier: Run | None = None) -> Run:
    preprocess(config, earlier=earlier)
    return Run(config)


def targets(run: Run, split: str) -> dict[str, list[bool]]:
    """Which events of each session may be targets; by the name of the session."""
    files = session_files(run.sessions(split))
    names, read = [name for file in files for name in read_ids(file)], Sessions.read(files)
    assert read.is_target is not None
    return {
        name: read.is_target[read.offsets[place] : read.offsets[place + 1]].tolist()
        for place, name in enumerate(names)
    }


@pytest.fixture(scope="module")
def yesterday(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return day(tmp_path_factory.mktemp("yesterday"), SESSIONS)


@pytest.fixture(scope="module")
def today(yesterday: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return day(tmp_path_factory.mktemp("today"), OTHER_SPLIT, yesterday)


def test_what_the_earlier_model_was_trained_on_is_no_target(today: Run) -> None:
    assert targets(today, "valid") == {"b": [False, False], "g": [True, True]}
    # Sessions are cut to two events in training, so the first one of "a" is known by its place alone.
    assert targets(today, "test") == {"a": [False, False, False, True], "c": [True, True, True]}
    assert not tells_targets(session_files(today.sessions("train")))


def test_it_is_said_how_many_sessions_that_concerns(yesterday: Run, tmp_path: Path) -> None:
    write_data(tmp_path, sessions=OTHER_SPLIT)
    told = Told()
    preprocess(make_config(tmp_path), earlier=yesterday, progress=told)
    said = "  1 of them hold targets that earlier training saw: they are left out"
    assert [line for line in told.lines if "earlier" in line] == [said, said]
    facts = read_json(tmp_path / "preprocessed" / "manifest.json")["sessions"]
    assert [facts[split].get("trained_before") for split in ("train", "valid", "test")] == [None, 1, 1]


def test_what_was_seen_further_back_is_no_target_either(today: Run, tmp_path: Path) -> None:
    """Today's training knows nothing of "a" and "b", but its weights come from those of yesterday."""
    swapped = {"valid": OTHER_SPLIT["test"], "test": OTHER_SPLIT["valid"]}
    tomorrow = day(tmp_path, {**swapped, "train": {**OTHER_SPLIT["train"], "h": [11, 12]}}, today)
    assert targets(tomorrow, "valid")["a"] == [False, False, False, True]
    assert targets(tomorrow, "test")["b"] == [False, False]


def test_other_sessions_of_the_same_id_are_targets(yesterday: Run, tmp_path: Path) -> None:
    """Some shops number the sessions of each day anew."""
    anew = {**SESSIONS, "valid": {"a": [10, 11, 12], "b": [10, 11]}, "train": {"d": [12, 13], "f": [10, 10]}}
    run = day(tmp_path, anew, yesterday)
    assert not tells_targets(session_files(run.sessions("valid")))


def test_a_day_of_the_same_split_is_as_from_scratch(yesterday: Run, tmp_path: Path) -> None:
    grown = {**SESSIONS, "train": {**SESSIONS["train"], "f": [13, 10]}, "valid": {"d": [11, 13, 10]}}
    runs = day(tmp_path / "from", grown, yesterday), day(tmp_path / "scratch", grown)
    for split in grown:
        ours, scratch = ([pq.read_table(f) for f in session_files(run.sessions(split))] for run in runs)
        assert all(one.equals(other) for one, other in zip(ours, scratch, strict=True))
    assert sorted(p.name for p in (runs[0].preprocessed / "sessions").iterdir()) == ["test", "train", "valid"]


def test_items_that_are_gone_hide_nothing(tmp_path: Path) -> None:
    then = {**SESSIONS, "train": {"b": [11, 10], "a": [11, 12, 10]}}
    earlier = day(tmp_path / "then", then, max_session_length=3)
    write_data(
        tmp_path / "now",
        ITEMS[ITEMS["item_id"] != 12],
        {
            "train": {"b": [11, 10]},
            "valid": {"d": [11, 13]},
            "test": {"a": [11, 10], "c": [10, 14]},
        },
    )
    run = begun(make_config(tmp_path / "now", max_session_length=3), earlier)
    assert targets(run, "test") == {"a": [False, False], "c": [True, True]}


def test_events_that_may_not_be_targets_stay_so(tmp_path: Path) -> None:
    def with_targets(folder: Path, sessions: dict[str, ByName], earlier: Run | None = None) -> Run:
        data = write_data(folder, sessions=sessions)
        for part in data.rglob("part-*.parquet"):
            events = pd.read_parquet(part)
            events.assign(**{TARGET: events["item_id"] != 14}).to_parquet(part, index=False)
        write_manifest(data, "data", {})
        config = make_config(folder)
        sold = config.data.model_copy(update={"targets": Targets(column="kind", values=["sale"])})
        return begun(config.model_copy(update={"data": sold}), earlier)

    earlier = with_targets(tmp_path / "then", SESSIONS)
    run = with_targets(tmp_path / "now", OTHER_SPLIT, earlier)
    assert targets(run, "test") == {"a": [False, False, False, True], "c": [True, False, True]}
    assert targets(run, "valid") == {"b": [False, False], "g": [True, True]}


def test_a_split_without_other_targets_is_refused(yesterday: Run, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"holds out for valid, none is a target .* start anew without"):
        day(tmp_path, {**OTHER_SPLIT, "valid": {"b": [11, 10]}}, yesterday)


def ends_held_out(folder: Path, whole: ByName, earlier: Run | None = None, **data: Any) -> Run:
    """A run whose data are split by `leave_one_out`: sessions of four events or more are divided."""
    divided = {name: items for name, items in whole.items() if len(items) > 3}
    short = {name: items for name, items in whole.items() if len(items) < 4}
    sessions = {
        "train": {**short, **{name: items[:-2] for name, items in divided.items()}},
        "valid": {name: items[:-1] for name, items in divided.items()},
        "test": divided,
    }
    write_data(folder, sessions=sessions)
    config = make_config(folder, max_session_length=3)
    split = config.data.model_copy(update={"split": LeaveOneOut(kind="leave_one_out"), **data})
    return begun(config.model_copy(update={"data": split}), earlier)


LONG = {"a": [10, 11, 12, 13, 11], "b": [13, 12, 11, 10, 14, 10]}


def test_a_session_that_was_too_short_to_divide_and_goes_on_is_no_target(tmp_path: Path) -> None:
    one = ends_held_out(tmp_path / "1", {**LONG, "c": [10, 10, 13], "d": [11, 12, 10]})
    two = ends_held_out(tmp_path / "2", {**LONG, "c": [10, 10, 13, 12], "d": [11, 12, 10, 13, 14]}, one)
    # Of "d", which has two new events, both that are held out are new.
    assert targets(two, "valid") == {"a": [True] * 4, "b": [True] * 5, "c": [False] * 3, "d": [True] * 4}
    assert not tells_targets(session_files(two.sessions("test")))
    # It stays so, although day 2 was not trained on the third event of "c".
    longer = {**LONG, "a": [*LONG["a"], 12]}
    three = ends_held_out(tmp_path / "3", {**longer, "c": [10, 10, 13, 12]}, two)
    assert targets(three, "valid")["c"] == [False] * 3
    # And when it goes on again, its next event is new.
    four = ends_held_out(tmp_path / "4", {**longer, "c": [10, 10, 13, 12, 11]}, three)
    assert not tells_targets(session_files(four.sessions("valid")))


def test_sessions_that_have_lost_their_last_events_are_no_targets(tmp_path: Path) -> None:
    """What is listed no more is gone from sessions, so that events stand last that were trained on."""
    one = ends_held_out(tmp_path / "1", {**LONG, "c": [10, 11, 12, 13, 14, 14]})
    two = ends_held_out(tmp_path / "2", {**LONG, "c": [10, 11, 12, 13]}, one)
    assert targets(two, "test")["c"] == [False] * 4
    assert targets(two, "valid")["c"] == [False] * 3, "the session of test tells of that in valid"


def test_what_is_held_out_at_the_ends_must_be_so_in_both(tmp_path: Path) -> None:
    whole = day(tmp_path / "0", SESSIONS, max_session_length=3)
    with pytest.raises(ArtifactError, match=r"^data.split.kind and data.min_session_length say which last"):
        ends_held_out(tmp_path / "1", LONG, whole)
    one = ends_held_out(tmp_path / "2", LONG)
    with pytest.raises(ArtifactError, match=r"^data.split.kind and data.min_session_length say which last"):
        ends_held_out(tmp_path / "3", LONG, one, min_session_length=3)


def test_rows_are_those_of_the_catalogue(today: Run) -> None:
    kept = Sessions.load(today.sessions("trained_before"))
    assert kept.lengths.tolist() == [2, 2] and (kept.rows != NO_ITEM).all()
