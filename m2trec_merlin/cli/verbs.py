"""What each verb does: calls one step of the pipeline and shows its result."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from m2trec_merlin.cli.progress import TerminalProgress
from m2trec_merlin.cli.terminal import console
from m2trec_merlin.config import Config, ServingConfig
from m2trec_merlin.errors import ArtifactError, ConfigError
from m2trec_merlin.runs import HeldOut, Run
from m2trec_merlin.runs.folder import REPORT_PAGE
from m2trec_merlin.spelling import spell_json


def run_init(tables: list[Path], output: Path, force: bool = False) -> None:
    """Write a configuration for the tables, and say what was found, what is unsure and what comes next."""
    from m2trec_merlin.starting.run import start, tables_of

    with TerminalProgress() as progress:
        done = start(*tables_of(tables), output, force, progress)
        found = done.found
        for title, entries in (
            ("Looked at", found.looked_at()),
            ("Attributes", [f"{a.source_column}: {a.kind}" for a in done.config.attributes]),
            ("Unsure", found.doubts()),
            ("Left out", found.left_out()),
        ):
            if entries:
                progress.say("\n  - ".join([title, *entries]))
        progress.say(done.tried or "too many events to try the data step here: m2trec data will tell")
        progress.say(f"{output} is written: read it, then run\n  m2trec demo -c {shlex.quote(str(output))}")


def run_data(config: Config, force: bool = False) -> None:
    """Prepare the canonical tables."""
    from m2trec_merlin.data import prepare_data, summarise_data

    with TerminalProgress() as progress:
        folder = prepare_data(config, force=force, progress=progress)
        progress.say(summarise_data(folder))
        progress.say(f"report: {Run(config).data_report}")


def run_preprocess(
    config: Config, dask: str | None = None, force: bool = False, earlier: Path | None = None
) -> None:
    """Run both NVTabular workflows; with an earlier run, they extend what was learned there."""
    from m2trec_merlin.preprocessing.run import preprocess

    with TerminalProgress() as progress:
        start = None if earlier is None else _trained(earlier, progress)
        preprocess(config, dask=dask, force=force, progress=progress, earlier=start)


def run_train(config: Config, resume: bool = True, force: bool = False, earlier: Path | None = None) -> None:
    """Train the model; with an earlier run, from its weights, and preprocess for that if need be."""
    from m2trec_merlin.preprocessing.run import preprocess
    from m2trec_merlin.training.continuing import require_same_model
    from m2trec_merlin.training.processes import are_several
    from m2trec_merlin.training.run import train

    with TerminalProgress() as progress:
        start = None if earlier is None else _trained(earlier, progress)
        if start is not None:
            require_same_model(Run(config), start)
            if not are_several():  # only one could do it, and would keep the others out
                preprocess(config, progress=progress, earlier=start)
        folder = train(config, earlier=start, resume=resume, force=force, progress=progress)
        progress.say(f"model in {folder}; learning curves: tensorboard --logdir {Run(config).tensorboard}")


def _trained(path: Path, progress: TerminalProgress) -> Run:
    from m2trec_merlin.model.trained_run import config_of_run, run_as_trained

    return run_as_trained(config_of_run(path), progress)


def run_evaluate(config: Config, force: bool = False, split: HeldOut = "test") -> None:
    """Measure model and baselines on held-out sessions."""
    from m2trec_merlin.cli.tables import print_measurements
    from m2trec_merlin.evaluation.measurements import read_measurements
    from m2trec_merlin.evaluation.run import evaluate_model

    with TerminalProgress() as progress:
        folder = evaluate_model(config, split=split, force=force, progress=progress)
        print_measurements(read_measurements(folder), console)
        progress.say(f"report: {folder / REPORT_PAGE}")


def run_tune(config: Config, force: bool = False) -> None:
    """Choose the mixture that is evaluated and exported, and show among what."""
    from m2trec_merlin.cli.tables import print_choice
    from m2trec_merlin.config.serving import TunedMixture
    from m2trec_merlin.evaluation.tuning.run import describe, tune
    from m2trec_merlin.model.trained_run import run_as_trained

    with TerminalProgress() as progress:
        if isinstance(config.serving.mixture, TunedMixture):
            # Says where the model was trained with other settings.
            run_as_trained(config, progress)
        choice = tune(config, force=force, progress=progress)
        if choice is None:
            progress.say(f"serving.mixture is {config.serving.mixture.kind}: there is nothing to choose")
            return
        print_choice(choice, console)
        progress.say(f"evaluated and exported with {describe(choice.weights)}")


def run_export(config: Config, force: bool = False) -> None:
    """Write the Triton model repository."""
    from m2trec_merlin.serving.export.run import export

    with TerminalProgress() as progress:
        folder = export(config, force=force, progress=progress)
        progress.say(f"Triton model repository: {folder}")


def run_serve(
    config: Config | ServingConfig, folder: Path | None = None, beside: Path | None = None, share: float = 0.0
) -> None:
    """Serve until Ctrl-C.

    Args:
        config: says how; its section alone where a folder is named.
        folder: of the run that is served; that of the configuration if there is none.
        beside: of a second one.
        share: of the sessions that the second one answers.
    """
    from m2trec_merlin.contract.repository import find_repository
    from m2trec_merlin.serving.server.door import Door
    from m2trec_merlin.serving.server.instructions import Beside, Instructions
    from m2trec_merlin.serving.server.keeping import serve
    from m2trec_merlin.serving.server.ports import Ports
    from m2trec_merlin.serving.server.process import TritonServer

    serving = config if isinstance(config, ServingConfig) else config.serving
    door = Door.of(serving)
    second = None if beside is None else Beside(find_repository(beside), share)
    instructions = Instructions(serving.log_json, serving.log, second)
    ports = Ports.of(serving)
    own = Run(config) if isinstance(config, Config) and folder is None else None
    repository = own.triton if own else find_repository(folder or Path())
    server = TritonServer(repository, ports, serving.start_timeout, door=door, instructions=instructions)
    with TerminalProgress() as progress:
        for line in (*(own.not_in_effect() if own else ()), *door.remarks()):
            progress.say(line)
        if second is not None:
            progress.say(f"{second.repository} answers {share:.0%} of the sessions that have a key")
        serve(server, progress)


def run_recommend(
    config: Config | None,
    session: Sequence[str],
    address: str | None,
    tls: Sequence[Path | None],
    filters: Sequence[str],
    candidates: Sequence[str],
    **options: Any,
) -> None:
    """Ask a running server and print its answer.

    Args:
        config: gives the server's address, unless `address` does, and whether it takes TLS; None where
            the address is all that is known.
        session: item ids, or attributes as JSON.
        address: HOST:PORT of the server.
        tls: files for TLS: whom to trust, the client's certificate and key.
        filters: as `parse_filters` takes them.
        candidates: item ids, or attributes as JSON; none for all items.
        options: others of `RecommendationClient.recommend`.
    """
    from m2trec_merlin.cli.recommendations import print_recommendations
    from m2trec_merlin.serving.client import RecommendationClient, Tls
    from m2trec_merlin.serving.server.door import Door

    # Bytes of an argument that are no UTF-8 could neither be sent nor shown.
    session, listed = (
        [os.fsencode(text).decode(errors="replace") for text in texts] for texts in (session, candidates)
    )
    items = [parse_session_item(text) for text in session]
    serving = ServingConfig() if config is None else config.serving
    own = Door.of(serving).local(serving.grpc_port)
    encryption = Tls(*tls) if any(tls) or serving.tls else None
    with RecommendationClient(own if address is None else address, tls=encryption) as client:
        answer = client.recommend(
            items,
            filters=parse_filters(filters) or None,
            candidates=[parse_session_item(text) for text in listed] or None,
            **options,
        )
    titles = {} if config is None else known_titles(config, session)
    print_recommendations(console, items, answer, titles)


def parse_session_item(text: str) -> str | dict[str, Any]:
    """Read one item: an id as it stands, or a JSON object of raw attributes.

    Raises:
        ConfigError: it begins like an object but is none.
    """
    if not text.lstrip().startswith("{"):
        return text
    try:
        attributes: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"item {text}: not valid JSON ({error})") from None
    return attributes


def parse_filters(filters: Sequence[str]) -> dict[str, Any]:
    """Read filters: COLUMN=VALUE, several being alternatives, COLUMN!=VALUE, COLUMN>=NUMBER, COLUMN<=NUMBER.

    A value is sent as a number if that says the same: 7, but neither 007 nor 7.50.

    Raises:
        ConfigError: one is of another form, or a column has both a value and a bound, or a bound twice.
    """
    values: dict[str, list[str | float]] = {}
    bounds: dict[str, dict[str, float]] = {}
    unwanted: dict[str, list[str | float]] = {}
    for text in filters:
        parts = re.fullmatch(r"(.+?)(<=|>=|!=|=)(.*)", text, re.DOTALL)
        if parts is None:
            expected = "COLUMN=VALUE, as in department=produce, or COLUMN>=NUMBER or COLUMN<=NUMBER"
            raise ConfigError(f"--filter {text}: expected {expected}")
        column, sign, value = parts.groups()
        number = _number(value)
        if sign in ("=", "!="):
            same = number is not None and spell_json(number) == value
            chosen = values if sign == "=" else unwanted
            chosen.setdefault(column, []).append(number if same and number is not None else value)
            continue
        if number is None:
            raise ConfigError(f"--filter {text}: expected a number behind {sign}")
        bound = "min" if sign == ">=" else "max"
        if column in bounds and bound in bounds[column]:
            raise ConfigError(f"--filter {text}: {column} has a bound {sign} already")
        bounds.setdefault(column, {})[bound] = number
    if both := values.keys() & (bounds.keys() | unwanted.keys()):
        raise ConfigError(f"--filter {', '.join(sorted(both))}: give either values or bounds of a column")
    conditions: dict[str, dict[str, Any]] = {name: {**bounds.get(name, {})} for name in [*bounds, *unwanted]}
    for name, others in unwanted.items():
        conditions[name]["not"] = others
    return {**values, **conditions}


def _number(text: str) -> float | None:
    try:
        number = json.loads(text)
    except ValueError:
        return None
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return number if is_number and math.isfinite(number) else None


def known_titles(config: Config, item_ids: Sequence[str]) -> dict[str, str]:
    """Look titles up in this run's catalogue, for printing; empty where the catalogue is elsewhere."""
    from m2trec_merlin.catalogue import Catalogue

    try:
        catalogue = Catalogue.load(Run(config).catalogue)
    except ArtifactError:
        return {}
    titles = catalogue.display()["title"].astype(str).to_numpy()
    rows = catalogue.rows_of(item_ids)
    return {i: titles[row - 1] for i, row in zip(item_ids, rows, strict=True) if row}
