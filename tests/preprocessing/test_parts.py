from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from m2trec_merlin.data import prepare_data
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.ids import IdIndex
from m2trec_merlin.preprocessing.parts import Events, count_events, read_part, unaltered_parts
from m2trec_merlin.runs import Run
from tests.worlds.events import events_config


@pytest.mark.parametrize("items", [[10, 11, 12], ["x", "y", "z"]])
def test_events_are_counted_by_item_over_all_parts(tmp_path, items):
    first, second, third = items
    stranger = type(first)(99)
    paths = []
    for number, ids in enumerate([[first, second, first], [stranger, second]]):
        paths.append(tmp_path / f"{number}.parquet")
        pd.DataFrame({"item_id": ids}).to_parquet(paths[-1])
    assert count_events(Events(paths), IdIndex(pd.Series([third, second, first]))).tolist() == [0, 2, 2]


def test_sessions_that_go_on_in_later_parts_are_read_there_alone(tmp_path):
    before, later = tmp_path / "before.parquet", tmp_path / "later.parquet"
    pd.DataFrame({"session_id": ["a", "a", "b"], "item_id": [1, 2, 3]}).to_parquet(before)
    pd.DataFrame({"session_id": ["a", "a", "a"], "item_id": [1, 2, 4]}).to_parquet(later)
    items = IdIndex(pd.Series([1, 2, 3, 4]))
    assert count_events(Events([before], go_on=[later]), items).tolist() == [1, 1, 1, 1]
    assert count_events(Events([before, later]), items).tolist() == [2, 2, 1, 1]


@pytest.mark.parametrize("longest", [2, 3, 5, 99])
def test_only_the_last_events_of_each_session_are_read(tmp_path, longest):
    """Those that go on in later parts are cut where they end there."""
    random = np.random.default_rng(longest)
    lengths = {f"s{number}": int(length) for number, length in enumerate(random.integers(1, 8, 40))}
    sessions = pd.DataFrame(
        [(name, position) for name, length in lengths.items() for position in range(length)],
        columns=["session_id", "position"],
    ).assign(item_id=lambda events: random.integers(0, 5, len(events)))
    first, last, later = (tmp_path / f"{name}.parquet" for name in ("first", "last", "later"))
    sessions[sessions["session_id"] < "s2"].to_parquet(first, index=False)
    sessions[sessions["session_id"] >= "s2"].to_parquet(last, index=False)
    more = sessions[sessions["session_id"].isin(["s1", "s3"])]
    more = pd.concat([more, more.groupby("session_id").tail(1).assign(position=lambda e: e["position"] + 1)])
    more = more.sort_values(["session_id", "position"])
    more.to_parquet(later, index=False)

    begun = pd.concat([pd.read_parquet(first), pd.read_parquet(last)])
    ended = pd.concat([begun[~begun["session_id"].isin(["s1", "s3"])], more])
    columns = ["session_id", "item_id"]
    for go_on, events in (([], begun), ([later], ended)):
        read = pd.concat(Events([first, last], go_on, longest).read(columns))
        kept = events.groupby("session_id", sort=False).tail(longest)
        assert read[columns].astype(str).values.tolist() == kept[columns].astype(str).values.tolist()


def test_strings_are_read_as_categories_and_large_integers_exactly(tmp_path):
    path = tmp_path / "part.parquet"
    pq.write_table(pa.table({"name": ["b", "a", "b"], "n": [2**53 + 1, None, 3]}), path)
    read = read_part(path, ["name", "n"])
    assert read["name"].dtype == "category" and list(read["name"]) == ["b", "a", "b"]
    assert list(read["n"]) == [2**53 + 1, None, 3]


def test_parts_of_a_split_are_those_that_were_written(tmp_path):
    config = events_config(tmp_path)
    prepare_data(config)
    (part,) = unaltered_parts(Run(config), "train")
    written = part.read_bytes()
    part.with_name("part-00009.parquet").write_bytes(written)
    with pytest.raises(ArtifactError, match=r"train/part-00009\.parquet was added: run `m2trec data"):
        unaltered_parts(Run(config), "train")
    part.unlink()
    with pytest.raises(ArtifactError, match=r"train/part-00000\.parquet is missing: run `m2trec data"):
        unaltered_parts(Run(config), "train")
    assert unaltered_parts(Run(config), "valid")
