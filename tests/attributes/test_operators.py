from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from merlin.io import Dataset
from nvtabular import ColumnSelector, Workflow
from nvtabular.ops import Categorify

from m2trec_merlin.attributes.categories import Categories
from m2trec_merlin.attributes.multi_categorical import SplitValues
from m2trec_merlin.attributes.numeric import AsNumber
from m2trec_merlin.attributes.operators import ConvertColumns
from m2trec_merlin.attributes.vector import AsVector
from m2trec_merlin.columns import vectors
from m2trec_merlin.errors import DataError
from m2trec_merlin.workflows.sessions import AtLeast


def apply(conversion, values) -> list:
    column = ConvertColumns(conversion).transform(
        ColumnSelector(["x"]), pd.DataFrame({"x": pd.Series(values)})
    )["x"]
    return [list(v) if isinstance(v, np.ndarray) else v for v in column]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a|b", "b", None, "", " | a |"], [["a", "b"], ["b"], [None], [None], ["a"]]),
        ([["a", None, "b", "c"], [], None], [["a", "b"], [None], [None]]),
        ([[1, 2], [3]], [["1", "2"], ["3"]]),
        (["a|b", ["c", 4], 5, None], [["a", "b"], ["c", "4"], ["5"], [None]]),
    ],
)
def test_several_values_are_split_and_cut(values, expected):
    assert apply(SplitValues("|", max_values=2), values) == expected


words = st.text("ab ", max_size=3)


@given(st.lists(st.none() | st.lists(st.none() | words, max_size=4), min_size=1, max_size=6))
def test_splitting_equals_plain_python(rows):
    def plain(row):
        stripped = [value.strip() for value in row or [] if value is not None]
        return [value for value in stripped if value][:2] or [None]

    series = pa.array(rows, pa.list_(pa.string())).to_pandas()
    assert apply(SplitValues("|", 2), series) == [plain(row) for row in rows]
    joined = [None if row is None else "|".join(value or "" for value in row) for row in rows]
    assert apply(SplitValues("|", 2), pd.Series(joined, dtype=object)) == [plain(row) for row in rows]


def test_numbers_may_come_as_text():
    values = apply(AsNumber(), ["1.5", 2, -1, None, "x", float("inf"), [1.0]])
    assert values[:3] == [1.5, 2.0, -1.0]
    assert all(np.isnan(values[3:]))


def test_numbers_below_the_minimum_are_missing():
    assert [np.isnan(v) for v in apply(AsNumber(minimum=0), [-1.0, 0.0])] == [True, False]


@pytest.mark.parametrize("missing", [None, [float("nan"), 0.0]])
def test_vectors_are_float32_and_complete(missing):
    made = ConvertColumns(AsVector(2)).transform(
        ColumnSelector(["x"]), pd.DataFrame({"x": [[1, 2.5], missing]})
    )["x"]
    assert [list(v) for v in made] == [[1.0, 2.5], [0.0, 0.0]]
    assert made.iloc[0].dtype == np.float32


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0, 2.0], [1.0]], "1 vectors are not of size 2; first: row 1, size 1"),
        ([1.0, 2.0], "expected lists of 2 numbers, found double"),
        ([["a", "b"]], "expected lists of 2 numbers"),
        ([[[1.0], [2.0]]], "expected lists of 2 numbers"),
    ],
)
def test_vectors_of_another_form_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        vectors(pd.Series(values), 2)
    with pytest.raises(DataError, match=message):
        apply(AsVector(2), values)


def fitted(operator, values) -> Workflow:
    workflow = Workflow(["x"] >> operator)
    workflow.fit(Dataset(pd.DataFrame({"x": pd.Series(values)})))
    return workflow


def test_categories_are_numbered_by_frequency_then_name(tmp_path):
    workflow = fitted(Categories(out_path=str(tmp_path)), ["c", "b", "c", "a", None, "d"])
    ids = workflow.transform(pd.DataFrame({"x": ["c", "a", "b", "d", None, "new"]}))["x"]
    assert list(ids) == [3, 4, 5, 6, 1, 2]


def test_rare_categories_are_out_of_vocabulary(tmp_path):
    workflow = fitted(Categories(freq_threshold=2, out_path=str(tmp_path)), ["c", "b", "c"])
    assert list(workflow.transform(pd.DataFrame({"x": ["c", "b"]}))["x"]) == [3, 2]


def test_lists_of_categories_are_never_empty(tmp_path):
    operators = ["x"] >> ConvertColumns(SplitValues("|", 2)) >> Categories(out_path=str(tmp_path))
    workflow = Workflow(operators)
    workflow.fit(Dataset(pd.DataFrame({"x": ["a|b", None, "a"]})))
    ids = workflow.transform(pd.DataFrame({"x": [None, "b|a|a", "new"]}))["x"]
    assert [list(v) for v in ids] == [[1], [4, 3], [2]]


names = st.none() | st.sampled_from(["a", "b", "c", "new"])


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(names, min_size=1).filter(any))
def test_looking_categories_up_equals_categorify(tmp_path, values):
    train = pd.DataFrame({"x": ["c", "c", "c", "b", "b", "a"]})
    folder = str(tmp_path)
    ours, theirs = Categories(out_path=folder), Categorify(out_path=folder)
    for operator in (ours, theirs):
        Workflow(["x"] >> operator).fit(Dataset(train))
    frame, selector = pd.DataFrame({"x": pd.Series(values, dtype=object)}), ColumnSelector(["x"])
    expected = theirs.transform(selector, frame)
    pd.testing.assert_frame_equal(ours.transform(selector, frame), expected)


def test_the_look_up_of_categories_is_made_anew_after_fitting_and_pickling(tmp_path):
    operator = Categories(out_path=str(tmp_path))
    request = pd.DataFrame({"x": ["a", "b"]})
    for train, ids in ((["a"], [3, 2]), (["b"], [2, 3])):
        workflow = Workflow(["x"] >> operator)
        workflow.fit(Dataset(pd.DataFrame({"x": train})))
        assert list(workflow.transform(request)["x"]) == ids
    assert operator._indexes and pickle.loads(pickle.dumps(operator))._indexes is None


def test_a_filter_compares_one_column():
    frame = pd.DataFrame({"n": [1, 2, 3]})
    assert list(AtLeast("n", 2)(frame)) == [False, True, True]
