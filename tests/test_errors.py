from __future__ import annotations

import errno
import os
import pickle

from m2trec_merlin.errors import ConfigError, DataError, message_of, name_first


def test_errors_in_the_data_survive_the_way_back_from_a_worker():
    error = DataError("part-00000.parquet", ["first", "second"])
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) and copy.problems == ["first", "second"]


def test_every_error_lists_its_problems_one_a_line():
    assert DataError("shop", ["first", "second"]).problems == ["first", "second"]
    listed = ConfigError("shop.yaml: 2 mistakes", ["name: missing", "seed: too small"])
    assert listed.problems == ["name: missing", "seed: too small"]
    assert str(listed) == "shop.yaml: 2 mistakes\n  - name: missing\n  - seed: too small"
    assert ConfigError("shop.yaml: no such file").problems == ["shop.yaml: no such file"]
    told_over_lines = ConfigError("shop.yaml: cannot be parsed: while scanning\n  in line 3\n    - found ']'")
    assert told_over_lines.problems == ["shop.yaml: cannot be parsed: while scanning in line 3 - found ']'"]


def test_a_message_names_five_things_and_counts_the_rest() -> None:
    assert name_first([1, 2]) == "1, 2" and name_first([]) == ""
    assert name_first(list("abcde")) == "a, b, c, d, e"
    assert name_first(range(1_234), lambda number: f"<{number}>") == "<0>, <1>, <2>, <3>, <4> and 1,229 more"


def test_files_are_named_as_text_whatever_a_library_calls_them() -> None:
    missing = os.strerror(errno.ENOENT)
    for name in ("a.csv", b"a.csv"):
        assert message_of(FileNotFoundError(errno.ENOENT, "", name)) == f"a.csv: {missing}"
    # An open file is a number.
    assert message_of(OSError(errno.EIO, "as the kernel says", 7)) == "as the kernel says"
