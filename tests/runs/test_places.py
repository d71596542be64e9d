"""Where the tables of a run are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from m2trec_merlin.data.preparation import prepare_data
from m2trec_merlin.runs import Run
from tests.worlds.tables import MakeConfig


def test_another_file_of_the_same_name_asks_for_the_data_anew(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, tmp_path: Path
) -> None:
    """As where each day has a folder; a table that moved, or grew where it is, is the same one."""
    config = make_config(events, items)
    prepare_data(config)
    source = Path(config.data.interactions)

    def problem_of(path: Path) -> str | None:
        data = config.data.model_copy(update={"interactions": path})
        return Run(config.model_copy(update={"data": data})).step("data").problem()

    moved, next_day = tmp_path / "moved" / source.name, tmp_path / "next" / source.name
    for path, text in ((moved, source.read_text()), (next_day, source.read_text() + "9,10,1\n9,20,2\n")):
        path.parent.mkdir()
        path.write_text(text)
    assert problem_of(moved) is problem_of(tmp_path / "gone" / source.name) is None
    assert "was made from another file than data.interactions names now" in (problem_of(next_day) or "")
    source.write_text(next_day.read_text())
    assert problem_of(source) is None
