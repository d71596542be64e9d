"""Decide which of two models to serve, by requests from a log (`replay`) or held-out sessions (`promote`)."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from m2trec_merlin.cli.progress import TerminalProgress
from m2trec_merlin.cli.terminal import console, errors, print_plain
from m2trec_merlin.contract.checksums import require_sealed
from m2trec_merlin.contract.repository import find_repository
from m2trec_merlin.errors import NothingToDoError
from m2trec_merlin.evaluation.bootstrap import CONFIDENCE_TEXT
from m2trec_merlin.runs import HeldOut

#: Exit codes; every verb that fails returns 1, and a wrong command line returns 2.
YES, NO = 0, 3


def run_replay(log: Path, against: Path, k: int, at_least: float | None, as_json: bool) -> int:
    """Answer logged requests with a run's export, print how much the answers differ, return the exit code.

    Args:
        log: the folder of the log of requests and answers.
        against: a run's folder, or the model repository itself.
        k: the number of top places of an answer to compare.
        at_least: the overlap below which the exit code is NO.
        as_json: whether to print JSON instead of a table.
    """
    from m2trec_merlin.serving.replay import replay

    with TerminalProgress(errors if as_json else console) as progress:
        found = replay(log, find_repository(against), k, progress)
    if as_json:
        print_plain(json.dumps(asdict(found), indent=1))
    else:
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


def run_promote(
    candidate: Path, over: Path, metric: str, margin: float, split: HeldOut, as_json: bool
) -> int:
    """Make a run the current one if it is better by more than chance; print why, return the exit code.

    Args:
        candidate: the folder or configuration of the new run.
        over: the folder or configuration of the served run, or the link to it.
        metric: the metric that decides, such as HIT@20.
        margin: the amount by which the candidate may be worse.
        split: the split of the candidate's sessions on which both runs are measured.
        as_json: whether to print JSON instead of a table.
    """
    from m2trec_merlin.evaluation.promotion import FEWEST_SESSIONS, judge, open_run
    from m2trec_merlin.runs.current import lead_to, link_over
    from m2trec_merlin.serving.catalogue.run import left_behind

    with TerminalProgress(errors if as_json else console) as progress:
        new, old = open_run(candidate, progress), open_run(over, progress)
        if new.model_directory.resolve() == old.model_directory.resolve():
            raise NothingToDoError(f"{over} is {candidate} already")
        # Check everything that could fail later before measuring.
        new.step("export").require_unaltered()
        require_sealed(new.triton, files=())
        link = link_over(old.model_directory if over.is_file() else over)
        lost = left_behind(old.triton, new.triton)
        verdict = judge(new, old, metric, progress, margin, split)
        if lost and verdict.takes_over:
            progress.say(lost)
    if verdict.takes_over:
        lead_to(link, new.model_directory)
    if as_json:
        said = {**asdict(verdict), "promoted": verdict.takes_over, "link": str(link), "split": split}
        print_plain(json.dumps(said, indent=1))
        return YES if verdict.takes_over else NO
    _print_table(
        f"{candidate} over {over}, {verdict.prefixes:,} prefixes of {split} sessions",
        {
            f"{verdict.metric} of the candidate": f"{verdict.candidate:.4f}",
            f"{verdict.metric} of the current one": f"{verdict.current:.4f}",
            "better by": f"{verdict.difference:+.4f}",
            f"{CONFIDENCE_TEXT} interval": f"{verdict.low:+.4f} to {verdict.high:+.4f}",
            "events that the current one cannot know": f"{verdict.unknown:.1%}",
        },
    )
    why = f"{'no better' if not margin else f'not within {margin:g}'} for certain"
    if verdict.is_of_few:
        why = f"{verdict.sessions:,} {split} sessions say nothing of others, {FEWEST_SESSIONS} would"
    what = f"{link} leads to it now" if verdict.takes_over else f"{why}: {over} stays as it was"
    print_plain(f"{candidate}: {what}")
    return YES if verdict.takes_over else NO


def _print_table(title: str, rows: dict[str, str]) -> None:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
