"""`m2trec runs` and `m2trec compare`: list runs, and show how they differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from m2trec_merlin.cli.terminal import console, errors, escape, print_plain
from m2trec_merlin.diagnosis.machine import size
from m2trec_merlin.evaluation.listing import (
    ListedRun,
    different_settings,
    find_run,
    links_to_nothing,
    list_runs,
)
from m2trec_merlin.evaluation.measurements import SCORED, Measurement
from m2trec_merlin.evaluation.slices import ALL

_NOTHING = "-"
#: Settings of evaluation that change what a number means, besides those that choose the prefixes.
_MEASURED_BY = ("exclude_session_items", "sparse_below")
#: Digits shown of a data fingerprint.
_DIGITS = 6


def print_runs(folder: Path, as_json: bool) -> None:
    """Print the runs in a folder, and below them any problems with them."""
    runs = list_runs(folder)
    if as_json:
        print_plain(json.dumps([run.as_dict() for run in runs], indent=1, default=str))
    elif runs:
        _print_table(runs, folder)
    else:
        print_plain(f"no runs in {folder}")
    for line in links_to_nothing(folder):
        print_plain(line, errors if as_json else console)


def _print_table(runs: Sequence[ListedRun], folder: Path) -> None:
    table = _table(f"Runs in {folder}, HIT@20 in %", "run", "data", "up to", "written", "size")
    for heading in ("valid", "test"):
        table.add_column(heading, justify="right", no_wrap=True)
    for run in runs:
        cells = [
            _name(run, folder),
            _NOTHING if run.data is None else f"{run.manifests['data'].get('source')} {run.data[:_DIGITS]}",
            next(reversed(run.manifests), "nothing"),
            run.written[:10] or _NOTHING,
            size(run.size),
            _percent(run.validation_hit),
            _interval(run.measured("HIT", 20)),
        ]
        table.add_row(*(escape(cell) for cell in cells))
    console.print(table)
    for run in runs:
        for remark in run.remarks:
            print_plain(f"{_name(run, folder)}: {remark}")


def print_comparison(paths: Sequence[Path]) -> None:
    """Print runs side by side, and any reasons why their numbers cannot be compared.

    Raises:
        ArtifactError: a path is not a run.
    """
    runs = [find_run(path) for path in paths]
    names = [str(path) for path in paths]
    settings = _table("Settings that differ", "setting", *names)
    for name, values in different_settings(runs).items():
        settings.add_row(escape(name), *(escape(_NOTHING if v is None else json.dumps(v)) for v in values))
    measured = _table("Test sessions, in %", "measured", *names)
    data = ["none" if run.data is None else run.data[:_DIGITS] for run in runs]
    measured.add_row("data", *data)
    measured.add_row("validation HIT@20", *(_percent(run.validation_hit) for run in runs))
    for metric, k, part in _common_measures(runs):
        found = (run.measured(metric, k, part) for run in runs)
        measured.add_row(escape(f"{metric}@{k}, {part}"), *(_interval(m) for m in found))
    if settings.row_count:
        console.print(settings)
    else:
        print_plain("no settings differ")
    console.print(measured)
    for line in _doubts(runs):
        print_plain(line)


def _common_measures(runs: Sequence[ListedRun]) -> list[tuple[str, int, str]]:
    """Return metric, cut-off and slice of the measures that reports show, at the largest common cut-off."""
    ks = [{m.k for m in run.measurements} for run in runs if run.measurements]
    largest = max(set.intersection(*ks), default=0) if ks else 0
    found = dict.fromkeys((m.metric, m.k, m.slice) for run in runs for m in run.measurements)
    return [
        (metric, k, part)
        for metric, k, part in found
        if k == largest and (metric in ("HIT", "MRR") or (metric.startswith("HIT[") and part == ALL))
    ]


def _doubts(runs: Sequence[ListedRun]) -> Iterator[str]:
    """Yield reasons why the numbers of these runs do not tell which one is better."""
    measured = [run.manifests["evaluate"] for run in runs if run.measurements]
    if len({run.data for run in runs}) > 1:
        yield "not the same data: their numbers do not tell which model is better"
    elif len({manifest.get(SCORED) for manifest in measured}) > 1:
        counts = " and ".join(f"{manifest['prefixes']:,}" for manifest in measured)
        yield (
            f"not measured on the same prefixes ({counts}): their numbers do not tell which model is better, "
            "but `m2trec promote` compares two runs on the same ones"
        )
    for name in _MEASURED_BY:
        if len({manifest["settings"]["evaluation"][name] for manifest in measured}) > 1:
            yield f"not measured by the same evaluation.{name}: run `m2trec evaluate` with equal ones"
    for run in runs:
        yield from (f"{run.folder.model_directory}: {remark}" for remark in run.remarks)


def _name(run: ListedRun, folder: Path) -> str:
    place = run.folder.model_directory
    name = str(place.relative_to(folder)) if place != folder else str(place)
    return f"{name} (current)" if run.is_current else name


def _interval(measured: Measurement | None) -> str:
    if measured is None or measured.value is None:
        return _NOTHING
    if measured.low is None or measured.high is None:
        return _percent(measured.value)
    margin = max(measured.value - measured.low, measured.high - measured.value)
    return f"{_percent(measured.value)} ±{100 * margin:.2f}"


def _percent(value: float | None) -> str:
    return _NOTHING if value is None else f"{100 * value:.2f}"


def _table(title: str, *headings: str) -> Table:
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD)
    for heading in headings:
        table.add_column(escape(heading), overflow="fold")
    return table
