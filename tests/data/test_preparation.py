from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from m2trec_merlin.config import Config, load_config
from m2trec_merlin.data import order_statistics, prepare_data, summarise_data
from m2trec_merlin.errors import ArtifactError, DataError
from m2trec_merlin.readers import synthetic
from m2trec_merlin.runs import Run
from tests.told import Told
from tests.worlds.tables import MakeConfig

CONFIGS = Path(__file__).parents[2] / "configs"


LEAVE_ONE_OUT = {"kind": "leave_one_out"}


def _synthetic(work_dir: Path, n_sessions: int = 120, **data: object) -> Config:
    section = {"source": "synthetic", "options": {"n_sessions": n_sessions, "n_items": 40}, **data}
    return Config.model_validate(
        {
            "name": "synthetic",
            "work_dir": work_dir,
            "data": section,
            "attributes": [{"name": "title", "kind": "text"}, {"name": "price", "kind": "numeric"}],
            "evaluation": {"prefixes": "last" if data.get("split") == LEAVE_ONE_OUT else "all"},
        }
    )


def _read(directory: Path) -> dict[str, pd.DataFrame]:
    return {
        split: pd.read_parquet(directory / "interactions" / split) for split in ("train", "valid", "test")
    }


def _counts(directory: Path) -> dict:
    return json.loads((directory / "manifest.json").read_text())["counts"]


@pytest.mark.parametrize("data", [{}, {"chunk_sessions": 1}, {"sessions": {"user": "session_id"}}])
def test_ids_may_differ_behind_a_nul_alone(
    make_config: MakeConfig, items: pd.DataFrame, data: dict[str, object]
) -> None:
    rows = [(f"c{s % 3}\0{s}", (10, 20, 30, 40)[(s + e) % 4], e) for e in range(3) for s in range(40)]
    found = []
    for mark in "\0|":
        events = pd.DataFrame(rows, columns=["session_id", "item_id", "position"])
        events["session_id"] = events["session_id"].str.replace("\0", mark)
        if "sessions" in data:
            events["position"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(events["position"], "min")
        config = make_config(events, items, "parquet", **{"split": {"kind": "hash"}, **data})
        found.append(_counts(prepare_data(config, force=True)))
    assert sum(split["sessions"] for split in (found[0][s] for s in ("train", "valid", "test"))) == 40
    assert {**found[0], **dict.fromkeys(["train", "valid", "test"])} == {
        **found[1],
        **dict.fromkeys(["train", "valid", "test"]),
    }


def test_tables_by_hand(make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame) -> None:
    directory = prepare_data(make_config(events, items, "parquet"))
    tables = _read(directory)  # by session id modulo 3; session 4 has one event
    assert tables["valid"][["session_id", "item_id", "position"]].to_numpy().tolist() == [
        [1, 10, 0], [1, 20, 1], [1, 30, 2],
    ]  # fmt: skip
    assert tables["train"]["item_id"].tolist() == [40, 40]  # repeated events are kept
    assert tables["test"]["item_id"].tolist() == [10, 20, 30]
    assert list(tables["test"].columns) == ["session_id", "item_id", "position"]
    written = pd.read_parquet(directory / "items.parquet")
    assert written["item_id"].tolist() == [10, 20, 30, 40] and list(written.columns) == list(items.columns)
    counts = _counts(directory)
    assert counts["train"] == {"sessions": 1, "events": 2, "items": 1}
    assert (counts["short_sessions"], counts["repeated_events"], counts["items"]) == (1, 1, 4)
    summary = [line.split() for line in summarise_data(directory).splitlines()]
    assert ["train", "1", "2", "1"] in summary and ["test", "1", "3", "3"] in summary


def test_csv_and_parquet_give_the_same_items_and_order(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    results = []
    for suffix in ("csv", "parquet"):
        directory = prepare_data(make_config(events, items, suffix), force=True)
        table = _read(directory)["test"]
        results.append(table.assign(session_id=table["session_id"].astype(str)))
    pd.testing.assert_frame_equal(*results)


@pytest.mark.parametrize(
    "split",
    [{"kind": "hash", "test_share": 0.3}, {"kind": "time"}, {"kind": "modulus"}],
    ids=lambda split: split["kind"],
)
def test_chunks_do_not_change_the_result(tmp_path: Path, split: dict) -> None:
    one, many = (
        prepare_data(_synthetic(tmp_path / str(size), chunk_sessions=size, split=split, cold_item_share=0.02))
        for size in (1000, 9)
    )
    for name, table in _read(one).items():
        pd.testing.assert_frame_equal(table, _read(many)[name])
    assert _counts(one) == _counts(many)
    assert len(list((many / "interactions" / "train").iterdir())) > 1
    pd.testing.assert_frame_equal(*(pd.read_parquet(d / "items.parquet") for d in (one, many)))


def _decimals(order: np.ndarray) -> list[object]:
    return [Decimal(2**53 + int(place)) for place in order]


def _one_point(order: np.ndarray) -> list[object]:
    return [f"{2**53 + place}{'.0' if place == 17 else ''}" for place in order]


def _seconds(order: np.ndarray) -> list[object]:
    return [f"170000000{place // 100}.{'0' * (place % 3)}{place % 100:02d}" for place in order]


def _offsets(order: np.ndarray) -> list[object]:
    times = pd.Timestamp("2024-03-01") + pd.to_timedelta(order * 7919, unit="s")
    zones = [("", 0), ("Z", 0), ("+05:30", 330), ("-08:00", -480)]
    return [
        f"{time + pd.Timedelta(minutes=minutes)}{offset}"
        for time, (offset, minutes) in zip(times, [zones[i % 4] for i in order], strict=True)
    ]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("write", [_decimals, _one_point, _seconds, _offsets])
def test_a_value_orders_alike_in_every_chunk(
    make_config: MakeConfig, items: pd.DataFrame, write: Callable[[np.ndarray], list[object]], suffix: str
) -> None:
    order = np.random.default_rng(3).permutation(400)
    raw = pd.DataFrame({"session_id": order % 50, "item_id": order % 4 * 10 + 10, "position": write(order)})
    found = []
    for size in (1000, 3):
        config = make_config(raw, items, suffix, chunk_sessions=size)
        found.append(
            pd.concat(_read(prepare_data(config, force=True)).values()).sort_values(
                ["session_id", "position"]
            )
        )
    pd.testing.assert_frame_equal(*(events.reset_index(drop=True) for events in found))
    key = {
        _seconds: lambda value: Decimal(value),
        _offsets: lambda value: pd.to_datetime(value, utc=True),
    }.get(write, lambda value: int(str(value).split(".")[0]))
    expected = raw.assign(key=raw["position"].map(key)).sort_values("key", kind="stable")
    by_session = (
        found[0].assign(session_id=found[0]["session_id"].astype(int)).groupby("session_id")["item_id"]
    )
    assert by_session.apply(list).to_dict() == expected.groupby("session_id")["item_id"].apply(list).to_dict()


@pytest.mark.parametrize("kind", ["time", "hash"])
def test_memory_does_not_grow_with_the_number_of_sessions(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthetic, "_BLOCK", 2_000)
    monkeypatch.setattr(order_statistics, "_BINS", 1 << 10)
    monkeypatch.setattr(order_statistics, "_READ_AT_ONCE", 1 << 10)

    def peak(n_sessions: int) -> int:
        config = _synthetic(tmp_path / f"{n_sessions}", n_sessions, split={"kind": kind})
        tracemalloc.start()
        try:
            prepare_data(config)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(4_000)  # imports, caches
    # So many sessions more are 20 MB of events; fewer than 30,000 do not fill what is held at a time.
    assert peak(100_000) < peak(30_000) + 400_000


def test_cold_items_are_written_and_absent_from_training(tmp_path: Path) -> None:
    directory = prepare_data(_synthetic(tmp_path, n_sessions=400, cold_item_share=0.05))
    cold = pd.read_parquet(directory / "cold_items.parquet")["item_id"]
    tables, counts = _read(directory), _counts(directory)
    assert len(cold) == counts["cold_items"] == 2
    for split in ("train", "valid"):
        assert not tables[split]["item_id"].isin(cold).any()
    assert tables["test"]["item_id"].isin(cold).any()
    whole = _counts(prepare_data(_synthetic(tmp_path / "whole", n_sessions=400)))
    assert counts["test"] == whole["test"]
    kept = counts["train"]["sessions"] + counts["valid"]["sessions"] + counts["cold_sessions"]
    assert kept == whole["train"]["sessions"] + whole["valid"]["sessions"]


def test_a_session_that_cold_items_leave_out_counts_once_whatever_splits_it_is_in(tmp_path: Path) -> None:
    folders = [
        prepare_data(
            _synthetic(tmp_path / str(share), n_sessions=300, split=LEAVE_ONE_OUT, cold_item_share=share)
        )
        for share in (0.0, 0.05)
    ]
    whole, kept = map(_read, folders)
    lost = [set(whole[name]["session_id"]) - set(kept[name]["session_id"]) for name in ("train", "valid")]
    assert lost[0] and lost[1] - lost[0], "some of both, and some of validation alone"
    assert _counts(folders[1])["cold_sessions"] == len(set.union(*lost))


def test_a_current_result_is_kept_and_a_changed_setting_prepares_again(tmp_path: Path) -> None:
    config = _synthetic(tmp_path)
    told = Told()
    directory = prepare_data(config, progress=told)
    written = (directory / "manifest.json").stat().st_mtime_ns
    assert told.lines and prepare_data(config, progress=told) == directory
    assert "is up to date" in told.lines[-1] and (directory / "manifest.json").stat().st_mtime_ns == written
    again = config.model_copy(update={"seed": 7})
    prepare_data(again)
    assert (directory / "manifest.json").stat().st_mtime_ns > written
    epochs = again.model_copy(update={"training": again.training.model_copy(update={"epochs": 99})})
    prepare_data(epochs, progress=told)
    assert "is up to date" in told.lines[-1]
    prepare_data(epochs, force=True, progress=told)
    assert "is up to date" not in told.lines[-1]


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"max_session_length": 3}},
        {"attributes": [{"name": "title", "kind": "text", "max_tokens": 2}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_only_the_report_tells_is_told_anew_and_no_later_step_is_stale(
    tmp_path: Path, change: dict
) -> None:
    config = _synthetic(tmp_path)
    directory = prepare_data(config)
    before, step = (directory / "report.json").read_text(), Run(config).step("data")
    identity = step.identity(step.manifest())
    raw = config.model_dump(mode="json")
    for part, value in change.items():
        raw[part] = {**raw[part], **value} if isinstance(value, dict) else [*value, *raw[part][1:]]
    changed = Config.model_validate(raw)
    assert Run(changed).step("data").problem() is None
    prepare_data(changed)
    assert (directory / "report.json").read_text() != before
    assert step.identity(step.manifest()) == identity
    prepare_data(config)
    assert (directory / "report.json").read_text() == before


def test_a_changed_file_prepares_again(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    prepare_data(make_config(events, items))
    items.loc[0, "title"] = "a much longer title"
    directory = prepare_data(make_config(events, items))
    assert pd.read_parquet(directory / "items.parquet")["title"][0] == "a much longer title"


def test_bad_data_leave_an_earlier_result_alone(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    directory = prepare_data(make_config(events, items))
    before = (directory / "manifest.json").read_text()
    with pytest.raises(DataError, match="has no row in"):
        prepare_data(make_config(events, items[:2]))
    with pytest.raises(DataError, match="no session is left for 'test' after splitting by modulus"):
        prepare_data(make_config(events[events["session_id"] != 3], items))
    assert (directory / "manifest.json").read_text() == before
    assert [p.name for p in directory.parent.iterdir()] == ["data"]


def test_what_left_hardly_a_session_goes_before_its_splits(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    """As in a sample of purchases beside another sample of the articles."""
    unknown = events["session_id"] == 3
    config = make_config(
        events.assign(item_id=events["item_id"].where(~unknown, 77)),
        items,
        options={"drop_unknown_items": True},
    )
    with pytest.raises(DataError) as refused:
        prepare_data(config)
    first, second = refused.value.problems
    assert first.startswith(f"{unknown.sum()} events left out: their items are not in items.csv, such as 77")
    assert first.endswith("; 2 sessions are left to split")
    assert second.startswith("no session is left for 'test' after splitting by modulus")


def test_an_empty_validation_split_says_what_to_do(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    events["split"] = events["session_id"].map(lambda session: "test" if session == 1 else "train")
    columns = {"order": "position", "split": "split"}
    config = make_config(events, items, columns=columns, split={"kind": "column"})
    with pytest.raises(DataError, match=r"no session is left for 'valid'.*valid_share_of_train"):
        prepare_data(config)


def test_days_that_cannot_be_divided_say_so(make_config: MakeConfig, items: pd.DataFrame) -> None:
    days = ["2024-03-01", "2024-03-02"]
    events = pd.DataFrame({"session_id": [1, 1, 2, 2], "item_id": [10, 20] * 2, "time": sorted(days * 2)})
    config = make_config(events, items, columns={"order": "time"}, split={"kind": "time"})
    with pytest.raises(DataError, match=r"'valid'.*sessions that begin at one time stay together"):
        prepare_data(config)


def test_a_session_that_is_a_large_part_of_a_split_is_told(
    make_config: MakeConfig, items: pd.DataFrame
) -> None:
    lengths = np.repeat(2, 200)
    lengths[199] = 60
    session = np.repeat(np.arange(200), lengths)
    events = pd.DataFrame({"session_id": session, "item_id": np.arange(len(session)) % 4 * 10 + 10})
    events["split"] = np.select([session < 80, session < 140], ["train", "valid"], "test")
    config = make_config(events, items, split={"kind": "column"}, columns={"split": "split"})
    summary = summarise_data(prepare_data(config))
    assert "one session holds 60 of the 178 events of test" in summary and summary.count("one session") == 1


def test_too_many_cold_items_say_so(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"taking out 36 cold items: change data\.split or data\.cold_item_share"
    ):
        prepare_data(_synthetic(tmp_path, cold_item_share=0.9))


def test_unknown_options_and_a_missing_result(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="n_session"):
        prepare_data(_synthetic(tmp_path, options={"n_session": 3}))
    with pytest.raises(ArtifactError, match="m2trec data"):
        summarise_data(tmp_path / "data")


@pytest.mark.parametrize(
    "name", ["complete_journey", "diginetica", "diginetica_prepared", "instacart", "scale"]
)
def test_the_configurations_that_ship_are_valid(name: str) -> None:
    assert load_config(CONFIGS / f"{name}.yaml").name == name
