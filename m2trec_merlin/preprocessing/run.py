"""The verb `preprocess`: data/ becomes preprocessed/, by the two NVTabular workflows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from m2trec_merlin import __version__
from m2trec_merlin.artifacts import (
    atomic_directory,
    fingerprint,
    is_current,
    require_manifest,
    write_manifest,
)
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.errors import ArtifactError

#: Of what the files mean: raised when those that were written before no longer fit the code.
FORMAT = 2


def preprocess(config: Config, dask: str | None = None, force: bool = False, progress: bool = True) -> Path:
    """Turn data/ into preprocessed/: the catalogue, the fitted items workflow and the sessions.

    Args:
        config: of the run.
        dask: where NVTabular runs: None for this process, `local:N`, or the address of a Dask scheduler.
        force: do it again even where the result is already there.
        progress: show progress bars and a summary.

    Returns:
        The folder preprocessed/. It appears complete or not at all.

    Raises:
        ArtifactError: `m2trec data` has not run.
        ConfigError: `dask` is not understood, or attributes contradict each other.
        DataError: the items do not fit the attributes.
    """
    target, inputs = config.directory / "preprocessed", _describe_inputs(config)
    console = Console(quiet=not progress)
    if not force and is_current(target, inputs):
        console.print(f"{target} is up to date", soft_wrap=True)
        return target
    with atomic_directory(target) as output:
        with _working(dask, console) as (client, report):
            started = time.monotonic()
            _build_catalogue(config, output, client, report)
            halfway = time.monotonic()
            sessions = _build_sessions(config, output / "catalogue", output / "sessions", client, report)
            seconds = {"items": halfway - started, "sessions": time.monotonic() - halfway}
        _finish(output, inputs, sessions, seconds)
    _summarise(target, console)
    return target


def preprocess_items(config: Config, dask: str | None = None, progress: bool = True) -> Path:
    """Do the first half of `preprocess`, replacing what is there; `preprocess_sessions` completes it."""
    target, inputs = config.directory / "preprocessed", _describe_inputs(config)
    with atomic_directory(target) as output:
        with _working(dask, Console(quiet=not progress)) as (client, report):
            _build_catalogue(config, output, client, report)
        write_manifest(output, "items", _half(inputs))
    return target


def preprocess_sessions(config: Config, dask: str | None = None, progress: bool = True) -> Path:
    """Do the second half of `preprocess`.

    Raises:
        ArtifactError: the first half has not run, or it ran on other data or settings.
    """
    target, inputs = config.directory / "preprocessed", _describe_inputs(config)
    console = Console(quiet=not progress)
    if not (is_current(target, _half(inputs)) or is_current(target, inputs)):
        raise ArtifactError(
            f"{target} holds no catalogue made from these data and settings: run workflows/items.py first"
        )
    started = time.monotonic()
    with atomic_directory(target / "sessions") as output, _working(dask, console) as (client, report):
        sessions = _build_sessions(config, target / "catalogue", output, client, report)
    _finish(target, inputs, sessions, {"sessions": time.monotonic() - started})
    _summarise(target, console)
    return target


def _describe_inputs(config: Config) -> dict[str, Any]:
    data = require_manifest(config.directory / "data", "data")
    return {
        "version": __version__,
        "format": FORMAT,
        "data": fingerprint(data["sha256"]),
        "attributes": [a.preprocessing_settings() for a in config.attributes],
        "min_session_length": config.data.min_session_length,
        "max_session_length": config.data.max_session_length,
        "title_column": config.serving.title_column,
    }


def _half(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"items only": inputs}


def _build_catalogue(config: Config, output: Path, client: Any, report: Callable[..., None]) -> None:
    from m2trec_merlin.preprocessing.items import build_catalogue

    build_catalogue(config, config.directory / "data", output, client, report)


def _build_sessions(
    config: Config, catalogue: Path, output: Path, client: Any, report: Callable[..., None]
) -> dict[str, Any]:
    from m2trec_merlin.preprocessing.sessions import build_sessions

    return build_sessions(config, config.directory / "data", catalogue, output, client, report)


def _finish(
    output: Path, inputs: dict[str, Any], sessions: dict[str, Any], seconds: dict[str, float]
) -> None:
    catalogue = Catalogue.load(output / "catalogue")
    sizes = {
        name: column.field.size
        for name, column in catalogue.attributes.items()
        if column.field.layout.has_vocabulary
    }
    facts = {"items": catalogue.n_rows - 1, "seen": catalogue.n_seen, "vocabularies": sizes}
    rounded = {step: round(spent, 2) for step, spent in seconds.items()}
    write_manifest(output, "preprocess", inputs, catalogue=facts, sessions=sessions, seconds=rounded)


def _summarise(target: Path, console: Console) -> None:
    facts = require_manifest(target, "preprocess")
    catalogue = facts["catalogue"]
    console.print(f"catalogue: {catalogue['items']:,} items, {catalogue['seen']:,} of them seen in training")
    for name, size in catalogue["vocabularies"].items():
        console.print(f"  {name}: {size:,} ids")
    for split, counts in facts["sessions"].items():
        console.print(f"sessions, {split}: {counts['sessions']:,} with {counts['events']:,} events")
        if counts["unknown_items_dropped"]:
            console.print(f"  {counts['unknown_items_dropped']:,} events of unknown items were dropped")
    console.print(f"written to {target} in {sum(facts['seconds'].values()):.1f} s", soft_wrap=True)


@contextmanager
def _working(dask: str | None, console: Console) -> Iterator[tuple[Any, Callable[..., None]]]:
    # Imported here: NVTabular takes seconds, which nobody should wait for who asks for --help.
    console.print("starting NVTabular" + (f" on Dask, {dask}" if dask else ""))
    from m2trec_merlin.preprocessing.cluster import open_cluster

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with open_cluster(dask) as client, Progress(*columns, console=console) as bars:
        tasks: dict[str, Any] = {}

        def report(label: str, done: int, total: int) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=total)
            bars.update(tasks[label], completed=done)

        yield client, report
