from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import m2trec_merlin as m2trec
from m2trec_merlin.errors import ArtifactError, DataError
from m2trec_merlin.evaluation.measurements import Measurement
from m2trec_merlin.evaluation.metrics import category_metric
from m2trec_merlin.library import measuring
from m2trec_merlin.library.measuring import read_sessions
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import Sessions
from tests.worlds.shop import TRAIN, VALID, Shop, offline_scores

#: sku-25 is the first item without a training occurrence.
OWN = [["sku-3", "sku-5", "sku-25"], ["sku-0"], ["sku-8", "sku-8"], ["sku-2", "sku-25", "sku-1"]]


def value(measured: list[Measurement], metric: str, k: int, part: str = "All") -> tuple[float | None, int]:
    [found] = [m for m in measured if (m.metric, m.k, m.slice) == (metric, k, part)]
    return found.value, found.n


@pytest.fixture(scope="module")
def measured(shop: Shop) -> list[Measurement]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return m2trec.evaluate(shop.config.directory, OWN)


def ranks(shop: Shop, sessions: list[list[str]]) -> list[int]:
    """Of the next item after each beginning, as the model itself scores; ties count against it."""
    found = []
    for session in sessions:
        for length in range(1, len(session)):
            scores, _ = offline_scores(shop, session[:length])
            own = scores[shop.catalogue.rows_of([session[length]])[0]]
            found.append(int((scores >= own).sum()))
    return found


def test_metrics_are_those_of_the_model_s_own_ranks(shop: Shop, measured: list[Measurement]) -> None:
    expected = np.array(ranks(shop, OWN))
    assert len(expected) == 5
    for k in shop.config.evaluation.ks:
        assert value(measured, "HIT", k) == (pytest.approx((expected <= k).mean()), 5)
        reciprocal = np.where(expected <= k, 1 / expected, 0)
        assert value(measured, "MRR", k) == (pytest.approx(reciprocal.mean()), 5)
    assert {(m.data, m.split, m.model) for m in measured} == {("shop", "own", "M2TRec")}


def test_prefixes_are_those_of_the_settings(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = shop.config.evaluation.model_copy(update={"prefixes": "last"})
    run = Run(shop.config.model_copy(update={"evaluation": evaluation}))
    monkeypatch.setattr(measuring, "open_run", lambda path, progress: run)
    expected = np.array([ranks(shop, [session])[-1] for session in OWN if len(session) > 1])
    measured = m2trec.evaluate(shop.config.directory, OWN)
    assert value(measured, "HIT", 20) == (pytest.approx((expected <= 20).mean()), 3)


def test_nothing_is_fitted_on_the_sessions(shop: Shop, measured: list[Measurement]) -> None:
    """However often an item stands in them, it is one that training never saw, and ranked as such."""
    assert value(measured, "HIT", 20, "Cold target")[1] == 2
    often = m2trec.evaluate(shop.config.directory, OWN * 20, split="often")
    for k in shop.config.evaluation.ks:
        assert value(often, "MRR", k) == (pytest.approx(value(measured, "MRR", k)[0]), 100)
    assert value(often, "HIT", 20, "Cold target")[1] == 40
    assert {m.split for m in often} == {"often"}


def test_sessions_that_the_run_knows_are_told(shop: Shop) -> None:
    """Two of them by id and items; another one of the same id holds others."""
    known = {"train-0": TRAIN[0], "valid-1": VALID[1], "train-1": [7, 8]}
    events = [(name, f"sku-{row - 1}") for name, rows in known.items() for row in rows]
    frame = pd.DataFrame(events, columns=["session_id", "item_id"])
    with pytest.warns(UserWarning, match="2 of 3 sessions are among those of training and validation"):
        m2trec.evaluate(shop.config.directory, frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m2trec.evaluate(shop.config.directory, frame[frame["session_id"] == "train-1"])


def test_measurements_make_a_frame(measured: list[Measurement]) -> None:
    frame = pd.DataFrame(measured)
    assert {"model", "slice", "metric", "k", "value", "low", "high", "n"} <= set(frame)
    assert len(frame) == len(measured)


Read = Callable[..., Sessions]


@pytest.fixture(scope="module")
def read(shop: Shop) -> Read:
    """Read sessions in rows of the shop's catalogue, or of another one."""
    return lambda sessions, catalogue=shop.catalogue: read_sessions(
        sessions, catalogue, Run(shop.config), print
    )


def test_a_frame_is_read_in_its_order_and_sessions_may_lie_among_each_other(read: Read) -> None:
    events = [("b", "sku-3"), ("a", "sku-1"), ("b", "sku-0"), ("a", "sku-2"), ("b", "sku-3")]
    frame = pd.DataFrame(events, columns=["session_id", "item_id"], index=[9, 9, 1, 0, 5])
    found = read(frame.assign(price=1.0))
    assert [found[number].tolist() for number in range(2)] == [[4, 1, 4], [2, 3]]
    lists = read([["sku-3", "sku-0", "sku-3"], ["sku-1", "sku-2"]])
    table = read(pa.Table.from_pandas(frame))
    for other in (lists, table):
        assert (other.rows == found.rows).all() and (other.offsets == found.offsets).all()


@pytest.mark.parametrize(
    ("column", "places"),
    [
        ("position", [1, 0, 2, 1, 0]),
        ("position", ["10", "9", "11", "1", "0"]),
        ("timestamp", pd.to_datetime(["2024-01-02", "2024-01-01", "2024-01-03", "2024-01-01", "2023-01-01"])),
        (
            "timestamp",
            ["2024-01-02T10:00:00Z", "2024-01-02T11:30:00+02:00", "2024-01-03", "2024-01-01", "2023"],
        ),
        ("timestamp", [1_709_280_001, 1_709_280_000, 1_709_280_002, 6.5, 6.25]),
    ],
)
def test_a_frame_that_says_the_order_is_read_in_it(read: Read, column: str, places: list[object]) -> None:
    frame = pd.DataFrame({"session_id": list("bbbaa"), "item_id": [f"sku-{n}" for n in (0, 3, 3, 2, 1)]})
    found = read(frame.assign(**{column: places}))
    assert [found[number].tolist() for number in range(2)] == [[4, 1, 4], [2, 3]]


def test_ids_that_gaps_made_floats_are_whole_numbers(shop: Shop, read: Read) -> None:
    numbered = replace(shop.catalogue, item_ids=np.arange(-1, shop.catalogue.n_rows - 1))
    frame = pd.DataFrame({"session_id": [1.0, 1.0, 1.0], "item_id": [7.0, 3.0, 7.0]})
    assert read(frame, numbered).rows.tolist() == [8, 4, 8]


def test_events_of_unknown_items_are_told_and_missed(shop: Shop) -> None:
    with pytest.warns(UserWarning, match=r"^1 of 4 events are of items that the catalogue lacks") as told:
        measured = m2trec.evaluate(shop.config.directory, [["sku-3", "x"], ["sku-3", "sku-5"]])
    [rank] = ranks(shop, [["sku-3", "sku-5"]])
    assert value(measured, "MRR", 20) == (pytest.approx(1 / rank / 2 if rank <= 20 else 0), 2)
    assert told[0].filename == __file__


@pytest.mark.filterwarnings("ignore:.*the catalogue lacks")
def test_sessions_are_scored_as_a_server_reads_them(shop: Shop) -> None:
    measured = m2trec.evaluate(shop.config.directory, [["sku-3", "x", "sku-5"], ["y", "sku-5"]])
    scores = [offline_scores(shop, ["sku-3"])[0], shop.catalogue.train_counts.astype(float)]
    row = shop.catalogue.rows_of(["sku-5"])[0]
    behind = [int((each[1:] >= each[row]).sum()) for each in scores]
    # One next item is unknown; what comes before it is left out, and nothing is left of the last session.
    expected = sum(1 / rank for rank in behind if rank <= 20) / 3
    assert value(measured, "MRR", 20) == (pytest.approx(expected), 3)
    # There are three departments; where nothing is left, none is predicted.
    assert value(measured, category_metric("department"), 5) == (0.5, 2)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"session": [1], "item_id": ["sku-1"]}, "no column session_id: rename yours"),
        ({"session_id": [1, None], "item_id": ["sku-1", "sku-2"]}, "session_id is missing in line 1"),
        ({"session_id": [1, 1], "item_id": ["sku-1", None]}, "item_id is missing in line 1"),
        ({"session_id": [1, 2], "item_id": ["sku-1", "sku-2"]}, "none has two events"),
        (
            {"session_id": [1, 1], "item_id": ["sku-1"] * 2, "timestamp": ["2024-01-01", "soon"]},
            r"timestamp is not a time \(ISO8601\) in line 1",
        ),
        ({"session_id": [1, 1], "item_id": ["sku-1"] * 2, "position": [1, None]}, "position is not a number"),
        ({"session_id": [1, 1], "item_id": [7, 8]}, "the catalogue has none of their items, such as 7$"),
        (
            {"session_id": [1, 1], "item_id": ["SKU-3", "SKU-5"]},
            "such as 'SKU-3': the items have 'sku-3', which differs from 'SKU-3' by small and capital",
        ),
    ],
)
def test_frames_that_cannot_be_measured(read: Read, frame: dict[str, list[object]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(pd.DataFrame(frame))


@pytest.mark.parametrize(
    ("sessions", "message"),
    [
        ([], "none has two events"),
        (["sku-1"], "a session is a list of item ids, not 'sku-1'"),
        ([1, 2], "a session is a list of item ids, not 1"),
        ([{"sku-1"}], "a session is a list of item ids, not {'sku-1'}"),
        ([{"sku-1": 1, "sku-2": 2}], "a session is a list of item ids, not {'sku-1': 1, 'sku-2': 2}"),
        ([["sku-1", {"item_id": "sku-2"}]], "an item is an id, not {'item_id': 'sku-2'}"),
        ([[["sku-1", "sku-2"]]], r"an item is an id, not \['sku-1', 'sku-2'\]"),
        ("sku-1", "expected a frame, or a list of sessions, found 'sku-1'"),
        (None, "expected a frame, or a list of sessions, found None"),
    ],
)
def test_lists_that_cannot_be_measured(read: Read, sessions: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(sessions)


def test_sessions_may_be_read_once_only(shop: Shop, read: Read) -> None:
    sessions: Any = (iter(session) for session in [["sku-0", "sku-3"], ["sku-1"]])
    assert read(sessions).rows.tolist() == shop.catalogue.rows_of(["sku-0", "sku-3", "sku-1"]).tolist()


def test_columns_of_one_name_are_refused(read: Read) -> None:
    frame = pd.DataFrame([["a", "sku-1", "sku-2"]] * 2, columns=["session_id", "item_id", "item_id"])
    with pytest.raises(DataError, match="several columns are called item_id"):
        read(frame)


def test_an_export_alone_cannot_be_measured(shop: Shop) -> None:
    with pytest.raises(ArtifactError, match="is an export alone: to evaluate takes the run"):
        m2trec.evaluate(shop.repository, OWN)
