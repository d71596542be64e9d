import numpy as np
import pandas as pd

from m2trec_merlin.derived import DERIVED

TIMES = pd.Series(
    pd.to_datetime(
        ["2024-01-01 23:59:30", "2024-01-02 00:00:29", None, "2024-01-07 12:00:00", "2024-01-07 11:00:00"]
    )
)
FIRST = np.array([True, False, False, True, False])


def test_hours_and_days_are_those_of_utc():
    assert DERIVED["@hour"](TIMES, FIRST).tolist() == [23, 0, pd.NA, 12, 11]
    # A Monday is 0.
    assert DERIVED["@weekday"](TIMES, FIRST).tolist() == [0, 1, pd.NA, 6, 6]


def test_gaps_are_those_within_a_session():
    gaps = DERIVED["@log_gap"](TIMES, FIRST)
    # First of a session; 59 seconds; unknown; first again; backwards.
    np.testing.assert_array_equal(gaps, [np.nan, np.log(60), np.nan, np.nan, 0])
