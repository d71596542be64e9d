"""What verbs say of the tables that their data were made from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from m2trec_merlin.cli import verbs
from m2trec_merlin.data import prepare_data
from m2trec_merlin.runs import Run
from tests.worlds.events import events_config


def test_every_step_says_once_that_a_table_has_grown_since_it_was_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = events_config(tmp_path)
    prepare_data(shop)
    steps = (verbs.run_preprocess, verbs.run_train, verbs.run_tune, verbs.run_evaluate)

    def lines_of(verb: Callable[..., object], *given: object, **named: object) -> list[str]:
        capsys.readouterr()
        verb(*given, **named)
        return [line for line in capsys.readouterr().out.splitlines() if "has changed" in line]

    assert [lines_of(step, shop) for step in steps] == [[]] * len(steps)
    with (tmp_path / "events.csv").open("a") as events:
        events.writelines(f"s9{n:02},sku-{n % 7},18000000{n:02},view,,\n" * 2 for n in range(10))
    grown = f"{tmp_path / 'events.csv'} has changed since `m2trec data` read it: run that again to take it in"
    assert [lines_of(step, shop) for step in steps] == [[grown]] * len(steps)
    # Of an earlier run the table has grown, too, but nobody would read it there again.
    today = shop.model_copy(update={"work_dir": tmp_path / "today"})
    assert lines_of(verbs.run_data, today) == []
    assert lines_of(verbs.run_train, today, earlier=Run(shop).directory) == []
    assert lines_of(verbs.run_data, shop) == lines_of(verbs.run_preprocess, shop) == []
