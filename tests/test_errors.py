from __future__ import annotations

import pickle

from m2trec_merlin.errors import DataError


def test_errors_in_the_data_survive_the_way_back_from_a_worker():
    error = DataError("part-00000.parquet", ["first", "second"])
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) and copy.problems == ["first", "second"]
