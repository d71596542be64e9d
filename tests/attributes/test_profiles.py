from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from m2trec_merlin.attributes.profiles import count_words, most_frequent, quantiles


def test_the_most_frequent_values_come_first_and_long_ones_are_cut() -> None:
    values = pa.array(["b", "a", "x" * 200, *(f"rare {i}" for i in range(20))])
    found = most_frequent(values, np.array([3, 3, 5] + [1] * 20))
    assert found[:3] == [("x" * 79 + "…", 5), ("b", 3), ("a", 3)] and len(found) == 10


def test_quantiles_weigh_each_number_by_its_items() -> None:
    numbers = np.array([100.0, 1.0, 2.0])
    assert quantiles(numbers, np.array([1, 90, 9])) == {
        "0": 1, "0.05": 1, "0.25": 1, "0.5": 1, "0.75": 1, "0.95": 2, "1": 100,
    }  # fmt: skip
    repeated = np.repeat(numbers, [1, 90, 9])
    own = np.quantile(repeated, [0.05, 0.5, 0.95], method="inverted_cdf")
    assert [quantiles(numbers, np.array([1, 90, 9]))[q] for q in ("0.05", "0.5", "0.95")] == own.tolist()
    assert quantiles(np.array([]), np.array([], dtype=np.int64)) == {}


@pytest.mark.parametrize(
    ("text", "words"), [("red wine", 2), ("  crème brûlée, 2 l!", 4), ("--", 0), ("ผลไม้", 1), ("a_b", 1)]
)
def test_words_are_runs_of_letters_marks_and_digits(text: str, words: int) -> None:
    assert count_words(pa.array([text])).tolist() == [words]
