"""Where the tables of a run are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from m2trec_merlin.data.preparation import prepare_data
from m2trec_merlin.runs import Run
from m2trec_merlin.runs.places import Table
from tests.worlds.tables import MakeConfig


def test_another_file_of_the_same_name_asks_for_the_data_anew(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, tmp_path: Path
) -> None:
    """As where each day has a folder; a table that moved, or changed where it is, is the same one."""
    config = make_config(events, items)
    prepare_data(config)
    source = Path(config.data.interactions)

    def problem_of(path: Path) -> str | None:
        data = config.data.model_copy(update={"interactions": path})
        return Run(config.model_copy(update={"data": data})).step("data").problem()

    text = source.read_text()
    moved, next_day, as_long = (tmp_path / name / source.name for name in ("moved", "next", "as_long"))
    as_many = "".join(reversed(text.splitlines(keepends=True)))
    for path, lines in ((moved, text), (next_day, text + "9,10,1\n9,20,2\n"), (as_long, as_many)):
        path.parent.mkdir()
        path.write_text(lines)
    assert problem_of(moved) is problem_of(tmp_path / "gone" / source.name) is None
    for other in (next_day, as_long):
        assert "was made from another file than data.interactions names now" in (problem_of(other) or "")
    source.write_text(next_day.read_text())
    assert problem_of(source) is None


def test_a_folder_holds_the_same_table_only_with_the_same_names_and_bytes(tmp_path: Path) -> None:
    def table(name: str, files: dict[str, str]) -> Table:
        for file, text in files.items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(text)
        return Table(tmp_path / name, tmp_path / "run")

    recorded = table("first", {"a/1.csv": "ab", "2.csv": "c"}).recorded()
    assert recorded[:2] == ["../first", 3]
    assert not table("copy", {"a/1.csv": "ab", "2.csv": "c"}).is_other_than(*recorded)
    assert table("renamed", {"a/1.csv": "ab", "0.csv": "c"}).is_other_than(*recorded)
    assert table("cut", {"a/1.csv": "a", "2.csv": "bc"}).is_other_than(*recorded)
    # Of a manifest that has no digest, the bytes decide.
    assert not table("cut", {}).is_other_than(*recorded[:2])
    assert table("more", {"a/1.csv": "ab", "2.csv": "cd"}).is_other_than(*recorded[:2])
