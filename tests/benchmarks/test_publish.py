import json
import subprocess
from pathlib import Path

from benchmarks.frame.publish import ROOT, Record, Stamp, commit, markdown, publish

RECORDS = [
    Record("ours", "data", "time", 12.5, "s", 1.0, "abc1234"),
    Record("theirs", "data", "time", None, "s", None, "abc1234"),
    Record("theirs", "data", "memory", 2048, "MiB", 2.0, "abc1234"),
]


STAMP = Stamp("abc1234", "python -m benchmarks some", 2, 0.5)


def test_written_as_a_list_of_plain_records(tmp_path: Path) -> None:
    publish(tmp_path, "results", RECORDS, STAMP, title="Results")
    read = json.loads((tmp_path / "results.json").read_text())
    assert [Record(**record) for record in read] == RECORDS


def test_a_line_a_record() -> None:
    lines = markdown(RECORDS).splitlines()
    assert lines[2:] == [
        "| ours | data | time | 12.5 | s | 1 |",
        "| theirs | data | time | - | s | - |",
        "| theirs | data | memory | 2,048 | MiB | 2 |",
    ]


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_commit_is_that_of_the_code_and_tells_of_changes_but_those_of_results(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "code.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert head.startswith(commit(tmp_path)) and len(commit(tmp_path)) >= 7
    for folder in ("benchmarks", "experiments"):
        (tmp_path / folder / "results").mkdir(parents=True)
        (tmp_path / folder / "results" / "a.json").write_text("[]")
    assert head.startswith(commit(tmp_path)), "results are no code"
    (tmp_path / "code.py").write_text("2")
    assert commit(tmp_path) == git(tmp_path, "rev-parse", "--short", "HEAD") + "-dirty"


def test_a_page_says_how_it_was_made(tmp_path: Path) -> None:
    page = publish(
        tmp_path, "some", RECORDS, STAMP, title="Some times", plots={"": "<svg/>", "-two": "<svg/>"}
    )
    assert page == (tmp_path / "some.md").read_text()
    assert "Made by `python -m benchmarks some` at commit abc1234, 2 cores, load 0.5." in page
    assert markdown(RECORDS) in page
    for name in ("some.svg", "some-two.svg"):
        assert f"]({name})" in page and (tmp_path / name).is_file()


def test_rows_of_other_columns_get_a_line_each(tmp_path: Path) -> None:
    rows = [{"model": "a", "value": None}, {"model": "b", "value": 0.5}]
    publish(tmp_path, "some", rows, STAMP, title="Rows", parts=["none"])
    text = (tmp_path / "some.json").read_text()
    assert json.loads(text) == rows and len(text.splitlines()) == 2 + len(rows)


#: Of results whose rows are no `Record`, columns that every row has.
ROWS_OF = {
    "serving": {"system", "items", "index", "rate", "p99_ms", "failed"},
    "catalogue": {"items", "failed", "seconds_until_recommended", "memory_mib"},
    "soak": {"minute", "requests", "failed", "p99_ms", "memory_mib"},
    "indexes": {"items", "index", "recall_at_20", "ms_alone", "ms_of_eight"},
}


def test_committed_results_are_records_or_rows() -> None:
    files = [
        file for folder in ("benchmarks", "experiments") for file in (ROOT / folder).glob("results/*.json")
    ]
    assert len(files) >= 10
    for file in files:
        content = json.loads(file.read_text())
        if file.stem in ROWS_OF:
            assert all(ROWS_OF[file.stem] <= set(row) for row in content)
        elif not file.stem.startswith(("paper", "cold", "rolling")):
            assert [Record(**record) for record in content], file
        assert all(one["commit"] for one in content), file


def test_shares_of_a_step_are_no_ratios() -> None:
    content = json.loads((ROOT / "benchmarks" / "results" / "step_profile.json").read_text())
    assert all(record["ratio_to_ours"] is None for record in content)
    shares = {r["system"]: r["value"] for r in content if r["measure"] == "share of the step"}
    assert shares["whole step"] == 1
