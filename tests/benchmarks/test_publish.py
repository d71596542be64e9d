import json
from pathlib import Path

from benchmarks.records import Record, commit, markdown, write_records

RECORDS = [
    Record("ours", "data", "time", 12.5, "s", 1.0, "abc1234"),
    Record("theirs", "data", "time", None, "s", None, "abc1234"),
    Record("theirs", "data", "memory", 2048, "MiB", 2.0, "abc1234"),
]


def test_written_as_a_list_of_plain_records(tmp_path: Path) -> None:
    write_records(tmp_path / "results.json", RECORDS)
    read = json.loads((tmp_path / "results.json").read_text())
    assert [Record(**record) for record in read] == RECORDS


def test_a_line_a_record() -> None:
    lines = markdown(RECORDS).splitlines()
    assert lines[2:] == [
        "| ours | data | time | 12.5 | s | 1 |",
        "| theirs | data | time | - | s | - |",
        "| theirs | data | memory | 2,048 | MiB | 2 |",
    ]


def test_commit_is_a_hash() -> None:
    assert int(commit().removesuffix("-dirty"), 16) > 0
