"""The verb `demo`: run all steps with one command, on data from PyPI."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from m2trec_merlin.artifacts import writing
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.cli import verbs
from m2trec_merlin.cli.asking import known_titles
from m2trec_merlin.cli.options import DEFAULT_CONFIG
from m2trec_merlin.cli.remedies import complete
from m2trec_merlin.cli.terminal import console, print_plain
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.config import Config
from m2trec_merlin.encoded import Layout
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.runs import Run
from m2trec_merlin.serving.client import RecommendationClient, SessionItem
from m2trec_merlin.sessions import Sessions

#: The id of the item that the demo adds to the catalogue.
NEW_ID = "new-1"
_TOP_K, _LONGEST_ANSWER = 8, 1000
_LONGEST_SHOWN = 5


def write_configuration() -> Path:
    """Write the demo's configuration into the current folder, unless it is there; return its path."""
    shipped, path = Path(__file__).parents[1] / DEFAULT_CONFIG.name, Path(DEFAULT_CONFIG.name)
    if not path.exists():
        with writing(path):
            path.write_text(shipped.read_text("utf-8"), "utf-8")
        print_plain(f"{path} is written: the configuration of this demo")
    return path


def run_demo(config: Config) -> None:
    """Preprocess, train, evaluate, export, serve and recommend; steps that are already done are skipped."""
    started = time.perf_counter()
    with _stage("1/6 data: read, check, split"):
        verbs.run_data(config)
    with _stage("2/6 preprocess: NVTabular workflows"):
        verbs.run_preprocess(config)
    with _stage("3/6 train"):
        verbs.run_train(config)
    with _stage("4/6 evaluate on sessions that training never saw"):
        verbs.run_evaluate(config)
    with _stage("5/6 export a Triton ensemble"):
        verbs.run_export(config)
    with _stage("6/6 serve and recommend over gRPC"):
        _recommend(config)
    minutes, seconds = divmod(round(time.perf_counter() - started), 60)
    console.print(f"\n[bold]Done in {minutes} min {seconds} s.[/bold] Next:")
    for line in next_commands(config):
        print_plain(f"  {line}")


def next_commands(config: Config) -> list[str]:
    """Return the commands to try after the demo, with the options of this call."""
    serve, recommend = (complete(f"`m2trec {verb}`").strip("`") for verb in ("serve", "recommend"))
    return [
        f"open {Run(config).report}",
        f"m2trec try {shlex.quote(str(Run(config).model_directory))}      (a page to try sessions)",
        f"{serve}      (and in another terminal: {recommend} ITEM_ID ...)",
    ]


@contextmanager
def _stage(title: str) -> Iterator[None]:
    console.rule(f"[bold]{title}[/bold]", align="left")
    started = time.perf_counter()
    yield
    console.print(f"[dim]{time.perf_counter() - started:.0f} s[/dim]")


def _recommend(config: Config) -> None:
    """Ask a real server twice: with known items, and with an item that is not in the catalogue."""
    from m2trec_merlin.cli.recommendations import print_recommendations
    from m2trec_merlin.serving.server.ports import Ports
    from m2trec_merlin.serving.server.process import TritonServer

    known = example_session(config)
    new_item = example_new_item(config, known[-1])
    with (
        TritonServer(Run(config).triton, Ports.free(), config.serving.start_timeout) as server,
        RecommendationClient(server.grpc_address, timeout=60) as client,
    ):
        console.print(f"Triton is ready, gRPC on {server.grpc_address}\n")
        sessions: list[tuple[str, list[SessionItem]]] = [
            ("A test session of known items", [*known]),
            ("The same session, ending with an item that the catalogue never had", [*known, new_item]),
        ]
        for title, session in sessions:
            console.print(f"[bold cyan]{title}[/bold cyan]")
            answer = client.recommend(session, top_k=_TOP_K, exclude_session_items=True)
            print_recommendations(console, session, answer, known_titles(config, known))
            console.print()
        _list_item(config, client, known[-1])


def _list_item(config: Config, client: RecommendationClient, like: str) -> None:
    """Add a new item while the server runs, recommend it, and restore the catalogue."""
    from m2trec_merlin.cli.recommendations import print_recommendations
    from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
    from m2trec_merlin.serving.catalogue.tables import read_ids

    try:
        verbs_ = CatalogueVerbs(Run(config).triton)
    except ArtifactError as error:
        print_plain(str(error))
        return
    before = verbs_.versions.current()
    started = time.perf_counter()
    with TemporaryDirectory() as folder:
        table = Path(folder) / "new_item.parquet"
        new_item_row(config, like, verbs_.versions.format.id_column).to_parquet(table, index=False)
        [new_id] = read_ids(table, verbs_.versions.format)
        version = verbs_.add(table)
    try:
        while client.recommend([new_id]).about.catalogue != str(version.number):
            time.sleep(0.05)
        seconds = time.perf_counter() - started
        console.print(
            f"[bold cyan]That item, listed by `m2trec catalog add`: served {seconds:.1f} s later[/bold cyan]"
        )
        answer = client.recommend([like], top_k=_TOP_K, exclude_session_items=True)
        print_recommendations(console, [like], answer, known_titles(config, [like]))
        whole = client.recommend([like], top_k=_LONGEST_ANSWER, exclude_session_items=True).item_ids
        place = (
            f"place {whole.index(new_id) + 1}" if new_id in whole else f"a place below {_LONGEST_ANSWER:,}"
        )
        console.print(
            f"Nobody has bought it yet: by its metadata alone it is at {place} of {version.items:,} items."
        )
    finally:
        verbs_.rollback(before)


def example_session(config: Config) -> list[str]:
    """Return the ids of the first test session of a readable length."""
    run = Run(config)
    catalogue, sessions = Catalogue.load(run.catalogue), Sessions.load(run.sessions("test"))
    index = next((i for i in range(len(sessions)) if 3 <= len(sessions[i]) <= _LONGEST_SHOWN), 0)
    rows = sessions[index][:_LONGEST_SHOWN]
    return [str(i) for i in catalogue.item_ids[rows]]


def new_item_row(config: Config, like: str, ids: str = ITEM_ID) -> pd.DataFrame:
    """Return a row of the items table for a new item: a copy of a known item with another title.

    Args:
        config: the run's configuration.
        like: the id of the known item.
        ids: the column of ids in the items table; if it also holds titles, the new item's title is its id.
    """
    items = pd.read_parquet(Run(config).items)
    rows: list[dict[Any, Any]] = items[items[ITEM_ID].astype(str) == like].to_dict("records")
    new = {**rows[0], **example_new_item(config, like), ITEM_ID: NEW_ID}
    if ids in new and ids not in _titles(config):
        new[ids] = NEW_ID
    return pd.DataFrame([new])


def example_new_item(config: Config, like: str) -> dict[str, Any]:
    """Return raw attributes of a new item: those of a known one, with a changed title."""
    catalogue = Catalogue.load(Run(config).catalogue)
    display = catalogue.display().iloc[int(catalogue.rows_of([like])[0]) - 1]
    # Requests use the raw table's names of columns; the display table uses the names of attributes.
    item = {a.source_column: display[a.name] for a in config.attributes if a.layout is Layout.IDS}
    return {**item, **dict.fromkeys(_titles(config), f"new organic {display['title']}")}


def _titles(config: Config) -> list[str]:
    return [attribute.source_column for attribute in config.attributes if attribute.gives_titles]
