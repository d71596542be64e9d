from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from dask import dataframe
from hypothesis import given, settings
from hypothesis import strategies as st
from merlin.io import Dataset
from nvtabular import Workflow
from nvtabular.ops import Normalize

from m2trec_merlin.attributes.standardise import Standardise


def fitted(values: list[float], parts: int = 1) -> Workflow:
    frame = pd.DataFrame({"x": pd.Series(values, dtype=np.float64)})
    data = Dataset(dataframe.from_pandas(frame, npartitions=parts))
    return Workflow(["x"] >> Standardise()).fit(data)


def transformed(workflow: Workflow, values: list[float]) -> np.ndarray:
    column = workflow.transform(pd.DataFrame({"x": pd.Series(values, dtype=np.float64)}))["x"]
    assert column.dtype == np.float32
    return column.to_numpy()


@settings(max_examples=30)
@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), min_size=3, max_size=30),
    st.sampled_from([0.0, 1e9]),
    st.integers(1, 3),
)
def test_moments_are_those_of_numpy_in_any_number_of_parts(values, offset, parts):
    values = [value + offset for value in values]
    known = np.array([value for value in values if value == value])
    deviation = known.std(ddof=1) if len(known) > 1 else 0.0
    if 0 < deviation < 1e-3:
        return  # of rounding
    mean = known.mean() if len(known) else 0.0
    expected = (np.array(values) - mean) / (deviation or 1.0)
    np.testing.assert_allclose(transformed(fitted(values, parts), values), expected, rtol=1e-4, atol=1e-4)


def test_upstream_loses_the_spread_of_large_numbers():
    """Upstream: the sum of squares less the square of the sum. Where this fails, Normalize would do."""
    values = [1e15 + step for step in range(10)]
    upstream = Workflow(["x"] >> Normalize()).fit(Dataset(pd.DataFrame({"x": values})))
    found = upstream.transform(pd.DataFrame({"x": values}))["x"].to_numpy()
    assert not np.isclose(found.std(ddof=1), 1, atol=0.1)
    assert transformed(fitted(values), values).std(ddof=1) == pytest.approx(1)


@pytest.mark.parametrize(
    "values",
    [[0.1] * 7, [5.0], [np.nan, np.nan], [3e38, -3e38, 0.0], [1e-320, 0.0], [3e38] * 5, [1e15, 1e15]],
)
def test_what_was_fitted_and_what_was_never_seen_stays_finite_and_within_reach(values):
    workflow = fitted(values)
    found = transformed(workflow, [*values, 3.4e38, -3.4e38, 1e-45])
    known = found[~np.isnan(found)]
    assert np.isfinite(known).all() and np.abs(known).max() <= 1e6
    assert np.isnan(found).tolist()[: len(values)] == np.isnan(values).tolist()


def test_equal_numbers_have_no_deviation():
    workflow = fitted([0.1] * 1000, parts=3)
    assert transformed(workflow, [0.1, 0.3]) == pytest.approx([0, 0.2])
