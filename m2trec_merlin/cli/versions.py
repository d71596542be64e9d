"""Which of two models is the better one to serve: their answers to what was really asked."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from m2trec_merlin.cli.progress import TerminalProgress
from m2trec_merlin.cli.terminal import console

#: Exit codes; 1 is what every verb that fails returns, 2 what a wrong command line does.
YES, NO = 0, 3


def run_replay(log: Path, against: Path, k: int, at_least: float | None, as_json: bool) -> int:
    """Answer a log again by the export of a run, print how far the answers differ, return the exit code.

    Args:
        log: what was asked and shown.
        against: a run's folder, or the model repository itself.
        k: places of an answer that count.
        at_least: overlap below which the exit code is NO.
        as_json: print one JSON object rather than a table.
    """
    from m2trec_merlin.serving.contract.repository import find_repository
    from m2trec_merlin.serving.replay import replay

    repository = find_repository(against)
    if as_json:
        found = replay(log, repository, k)
        _print_json(asdict(found))
    else:
        with TerminalProgress() as progress:
            found = replay(log, repository, k, progress)
        shift = "no item in both" if found.rank_shift is None else f"{found.rank_shift:.2f} places"
        _print_table(
            f"{found.against} on {found.requests:,} requests that {', '.join(found.shown_by)} answered",
            {
                f"overlap@{k}": f"{found.overlap:.3f}",
                "same answer": f"{found.same:.3f}",
                "same item in front": f"{found.same_first:.3f}",
                "items that both have moved by": shift,
                "refused": f"{found.refused:,}",
            },
        )
    return NO if at_least is not None and found.overlap < at_least else YES


def _print_json(content: dict[str, Any]) -> None:
    console.print(json.dumps(content, indent=1), markup=False, highlight=False, soft_wrap=True)


def _print_table(title: str, rows: dict[str, str]) -> None:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
