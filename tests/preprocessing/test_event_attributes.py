"""Attributes of events through preprocessing: parallel to the rows, fitted on training alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.data.preparation import prepare_data
from m2trec_merlin.encoded import MISSING, OUT_OF_VOCABULARY
from m2trec_merlin.errors import ArtifactError, DataError
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.preprocessing.sessions import build_sessions
from m2trec_merlin.preprocessing.workers import ALONE
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import Sessions
from tests.attributes.test_kinds import EXAMPLES, KINDS
from tests.worlds.events import EVENT_ATTRIBUTES, events_config, make_events
from tests.worlds.raw_run import make_config, write_data
from tests.worlds.rewritten import as_if_written


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("events")
    events = make_events()
    # A value that training sessions lack, and one that they alone have.
    config = events_config(folder, events, data={"targets": {"column": "event", "values": ["buy"]}})
    prepare_data(config)
    for split, value in (("train", "share"), ("test", "scan")):
        for part in (config.directory / "data" / "interactions" / split).iterdir():
            frame = pd.read_parquet(part)
            frame.loc[frame["event_type"] == "cart", "event_type"] = value
            frame.to_parquet(part, index=False)
    as_if_written(Run(config).data)
    preprocess(config)
    return Run(config)


def raw_of(run: Run, split: str) -> pd.DataFrame:
    parts = sorted((run.data / "interactions" / split).iterdir())
    return pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)


def test_lists_are_parallel_to_the_rows_and_sliced_alike(run: Run) -> None:
    raw, train = raw_of(run, "train"), Sessions.load(run.sessions("train"))
    last = raw.groupby("session_id", sort=False).tail(4)
    catalogue = Catalogue.load(run.catalogue)
    assert catalogue.item_ids[train.rows].tolist() == last["item_id"].tolist()
    assert train.is_target is not None
    assert train.is_target.tolist() == last["target"].tolist()
    names = ["<padding>", "<missing>", "<other>", *dict.fromkeys(vocabulary(run, "event_type"))]
    found = [names[i] for i in train.attributes["event_type"].values]
    assert found == last["event_type"].fillna("<missing>").tolist()
    flags = train.attributes["flags"]
    of_flags = ["<padding>", "<missing>", "<other>", *vocabulary(run, "flags")]
    assert ["|".join(of_flags[i] for i in flags.of(e)) for e in range(len(flags))] == last["flags"].tolist()
    paid = np.log1p(last["paid"])
    standard = ((paid - paid.mean()) / paid.std()).fillna(0)
    np.testing.assert_allclose(train.attributes["paid"].values, standard, rtol=1e-4, atol=1e-5)


def vocabulary(run: Run, name: str) -> list[str]:
    frame = pd.read_parquet(run.events_workflow / "Categories" / f"{name}.parquet")
    return list(frame[name])


def test_vocabularies_are_those_of_training_and_all_of_test_is_kept(run: Run) -> None:
    assert sorted(vocabulary(run, "event_type")) == ["buy", "share", "view"]
    raw, test = raw_of(run, "test"), Sessions.load(run.sessions("test"))
    ids = test.attributes["event_type"].values
    assert (ids == OUT_OF_VOCABULARY).tolist() == (raw["event_type"] == "scan").tolist()
    assert (ids == MISSING).tolist() == raw["event_type"].isna().tolist()
    assert (raw["event_type"] == "scan").any() and raw["event_type"].isna().any()
    manifest = run.step("preprocess").manifest()["sessions"]
    assert manifest["train"]["event_vocabularies"]["event_type"] == 6


def test_a_value_of_events_that_are_cut_off_alone_is_unseen(tmp_path: Path) -> None:
    """Training never reads it, so it must not get an id whose vector is never trained."""
    events = make_events()
    place = events.groupby("session_id").cumcount(ascending=False)
    events.loc[place >= 4, "event"] = "early"
    config = events_config(tmp_path, events)
    prepare_data(config)
    preprocess(config)
    run = Run(config)
    assert (raw_of(run, "train")["event_type"] == "early").any()
    assert sorted(vocabulary(run, "event_type")) == ["buy", "cart", "view"]
    raw, test = raw_of(run, "test"), Sessions.load(run.sessions("test"))
    early = (raw["event_type"] == "early").tolist()
    assert any(early)
    assert (test.attributes["event_type"].values == OUT_OF_VOCABULARY).tolist() == early


def test_only_data_are_stored(run: Run) -> None:
    assert {p.suffix for p in run.events_workflow.rglob("*") if p.is_file()} == {".json", ".parquet"}
    settings = json.loads((run.events_workflow / "workflow.json").read_text())
    assert [each["name"] for each in settings["attributes"]] == [each["name"] for each in EVENT_ATTRIBUTES]


def test_attributes_that_come_or_go_ask_for_preprocessing_again(run: Run) -> None:
    for attributes in ([], run.config.event_attributes[:1]):
        other = Run(run.config.model_copy(update={"event_attributes": attributes}))
        with pytest.raises(ArtifactError, match=r"made with other settings \(event_attributes\)"):
            other.step("preprocess").require()
    run.step("preprocess").require()


def test_a_run_without_them_writes_what_it_always_wrote(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    facts = build_sessions(config, write_data(tmp_path), _catalogue(tmp_path), tmp_path / "out", ALONE, None)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["test", "train", "valid"]
    counts = {"sessions", "events", "unknown_items_dropped"}
    assert facts["valid"].keys() == counts
    assert facts["train"].keys() == {*counts, "max_session_length", "cut_events"}
    assert pd.read_parquet(tmp_path / "out" / "train" / "part-00000.parquet").columns.tolist() == [
        "session_id",
        "row",
    ]


def _catalogue(folder: Path) -> Path:
    (folder / "catalogue").mkdir()
    pd.DataFrame({"item_id": [11, 10, 12, 13, 14]}).to_parquet(folder / "catalogue" / "items.parquet")
    return folder / "catalogue"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_attribute_is_one_of_events_too(tmp_path: Path, kind: str) -> None:
    """Without a line for it anywhere: the values of a session lie as those of items do, event by event."""
    settings, values = EXAMPLES[kind]
    config = make_config(tmp_path, max_session_length=3)
    attribute = parse_attribute(name="x", kind=kind, column="raw", **settings)
    config = config.model_copy(update={"event_attributes": [attribute]})
    data = write_data(
        tmp_path, sessions={split: {"s": [10, 11, 12, 13]} for split in ("train", "valid", "test")}
    )
    for part in (data / "interactions").rglob("*.parquet"):
        # Positions stand the other way round.
        frame = pd.read_parquet(part)
        frame["x"] = pd.Series(values, dtype=object)[frame["position"]].to_numpy()
        frame.to_parquet(part, index=False)
    build_sessions(config, data, _catalogue(tmp_path), tmp_path / "out", ALONE, None)
    valid, train = (Sessions.load(tmp_path / "out" / split) for split in ("valid", "train"))
    every, last = valid.attributes["x"], train.attributes["x"]
    assert every.is_whole and len(every) == 4 and every.field.layout is attribute.layout
    np.testing.assert_array_equal(last.values, every.slice(1, 4).values)
    if kind != "numeric":
        assert every.of(2).tolist() == type(every).no_item(every.field).of(0).tolist()


def test_a_split_without_targets_is_refused(tmp_path: Path) -> None:
    events = make_events()
    config = events_config(tmp_path, events, data={"targets": {"column": "event", "values": ["buy"]}})
    prepare_data(config)
    for part in (config.directory / "data" / "interactions" / "valid").iterdir():
        pd.read_parquet(part).assign(target=False).to_parquet(part, index=False)
    as_if_written(Run(config).data)
    with pytest.raises(DataError, match="no event of the valid sessions may be a target"):
        preprocess(config)
