"""The verb `preprocess`: turn data/ into preprocessed/ with the two NVTabular workflows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m2trec_merlin.artifacts import atomic_directory, recover
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.data.session_length import CUT_EVENTS
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.manifests import is_current, require_manifest, write_manifest
from m2trec_merlin.preprocessing.continuing import EarlierRun
from m2trec_merlin.preprocessing.event_attributes import EVENT_VOCABULARIES
from m2trec_merlin.preprocessing.places import require_place
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import Run
from m2trec_merlin.runs.folder import CATALOGUE, SESSIONS, TRAINED_BEFORE
from m2trec_merlin.runs.settings import LONGEST_SESSION
from m2trec_merlin.shares import percent
from m2trec_merlin.version import __version__

if TYPE_CHECKING:
    from m2trec_merlin.preprocessing.workers import Workers

#: Version of the files' format: raised when earlier files no longer fit the code.
FORMAT = 4
#: The manifest's name for the earlier result that this one started from.
START = "start"


def preprocess(
    config: Config,
    dask: str | None = None,
    force: bool = False,
    progress: Progress = SILENT,
    earlier: Run | None = None,
) -> Path:
    """Turn data/ into preprocessed/: the catalogue, the fitted items workflow and the sessions.

    Args:
        config: the run's configuration.
        dask: where NVTabular runs: None for this process, `local:N`, or the address of a Dask scheduler.
        force: whether to do it again even if the result is current.
        progress: receives each part of the work, and a summary of the result.
        earlier: a run to continue from: its vocabularies are extended, and sessions are cut to its length.

    Returns:
        The folder preprocessed/. It appears complete or not at all.

    Raises:
        ArtifactError: `m2trec data` has not run, or ran with other settings; the folder cannot be written, or
            another process works on it; this run cannot continue from the earlier one.
        CommandLineError: `dask` is not understood.
        DataError: the items do not fit the attributes.
    """
    run = Run(config)
    require_place(dask)
    start = None if earlier is None else EarlierRun.of(earlier, run, FORMAT)
    with _at_work(run) as inputs:
        if start is not None:
            inputs = {**inputs, START: start.identity}
        target = run.preprocessed
        if not force and run.step("preprocess").is_current(inputs):
            progress.say(f"{target} is up to date")
            return target
        with atomic_directory(target) as output:
            with _at_hand(run, dask, progress) as workers:
                started = time.monotonic()
                _build_catalogue(run, output, workers, start)
                halfway = time.monotonic()
                sessions = _build_sessions(run, output / CATALOGUE, output / SESSIONS, workers, start)
                seconds = {"items": halfway - started, "sessions": time.monotonic() - halfway}
            _finish(output, inputs, sessions, seconds)
    _summarise(target, progress)
    return target


def preprocess_items(config: Config, dask: str | None = None, progress: Progress = SILENT) -> Path:
    """Do the first half of `preprocess`, replacing any earlier result; `preprocess_sessions` completes it."""
    run = Run(config)
    require_place(dask)
    with _at_work(run) as inputs, atomic_directory(run.preprocessed) as output:
        with _at_hand(run, dask, progress) as workers:
            _build_catalogue(run, output, workers, None)
        write_manifest(output, "items", _half(inputs))
    return run.preprocessed


def preprocess_sessions(config: Config, dask: str | None = None, progress: Progress = SILENT) -> Path:
    """Do the second half of `preprocess`.

    Raises:
        ArtifactError: the first half has not run, or ran on other data or settings.
    """
    run = Run(config)
    require_place(dask)
    with _at_work(run) as inputs:
        target = run.preprocessed
        if not (is_current(target, _half(inputs)) or is_current(target, inputs)):
            raise ArtifactError(
                f"{target} holds no catalogue made from these data and settings: run workflows/items.py first"
            )
        started = time.monotonic()
        recover(target / SESSIONS)
        with atomic_directory(target / SESSIONS) as output, _at_hand(run, dask, progress) as workers:
            sessions = _build_sessions(run, run.catalogue, output, workers, None)
        _finish(target, inputs, sessions, {"sessions": time.monotonic() - started})
    _summarise(target, progress)
    return target


@contextmanager
def _at_work(run: Run) -> Iterator[dict[str, Any]]:
    step = run.step("preprocess")
    with step.locked():
        run.step("data").require()
        yield step.inputs(version=__version__, format=FORMAT)


def _half(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"items only": inputs}


def _build_catalogue(run: Run, output: Path, workers: Workers, start: EarlierRun | None) -> None:
    from m2trec_merlin.preprocessing.items import build_catalogue

    build_catalogue(run.config, run.data, output, workers, start)


def _build_sessions(
    run: Run, catalogue: Path, output: Path, workers: Workers, start: EarlierRun | None
) -> dict[str, Any]:
    from m2trec_merlin.preprocessing.sessions import build_sessions

    return build_sessions(run.config, run.data, catalogue, output, workers, start)


def _finish(
    output: Path, inputs: dict[str, Any], sessions: dict[str, Any], seconds: dict[str, float]
) -> None:
    catalogue = Catalogue.load(output / CATALOGUE)
    sizes = {
        name: column.field.size
        for name, column in catalogue.attributes.items()
        if column.field.layout.has_vocabulary
    }
    facts = {"items": catalogue.n_rows - 1, "seen": catalogue.n_seen, "vocabularies": sizes}
    rounded = {step: round(spent, 2) for step, spent in seconds.items()}
    write_manifest(output, "preprocess", inputs, catalogue=facts, sessions=sessions, seconds=rounded)


def _summarise(target: Path, progress: Progress) -> None:
    facts = require_manifest(target, "preprocess")
    catalogue = facts["catalogue"]
    progress.say(f"catalogue: {catalogue['items']:,} items, {catalogue['seen']:,} of them seen in training")
    for name, size in catalogue["vocabularies"].items():
        progress.say(f"  {name}: {size:,} ids")
    for split, counts in facts["sessions"].items():
        progress.say(f"sessions, {split}: {counts['sessions']:,} with {counts['events']:,} events")
        if cut := counts.get(CUT_EVENTS):
            why = "as in the earlier run" if START in facts["settings"] else "data.max_session_length"
            progress.say(
                f"  {percent(cut, counts['events'] + cut)} of the events were cut: sessions keep their last "
                f"{counts[LONGEST_SESSION]} ({why})"
            )
        for name, size in counts.get(EVENT_VOCABULARIES, {}).items():
            progress.say(f"  {name}: {size:,} ids")
        if counts["unknown_items_dropped"]:
            progress.say(f"  {counts['unknown_items_dropped']:,} events of unknown items were dropped")
        if trained := counts.get(TRAINED_BEFORE):
            progress.say(f"  {trained:,} of them hold targets that earlier training saw: they are left out")
    progress.say(f"written to {target} in {sum(facts['seconds'].values()):.1f} s")


@contextmanager
def _at_hand(run: Run, dask: str | None, progress: Progress) -> Iterator[Workers]:
    # Imported here, because importing NVTabular takes seconds, which --help should not.
    progress.say("starting NVTabular" + (f" on Dask, {dask}" if dask else ""))
    from m2trec_merlin.preprocessing.cluster import open_cluster
    from m2trec_merlin.preprocessing.device import choose_preprocessing_device, gpus
    from m2trec_merlin.preprocessing.workers import Workers

    choice = choose_preprocessing_device(run.config.preprocessing.device)
    with open_cluster(dask, gpus() if choice.device == "cuda" else []) as client:
        progress.say(choice.line)
        yield Workers(client, choice.device, progress)
