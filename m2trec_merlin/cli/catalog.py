"""`m2trec catalog`: change the items of an exported model, whether or not it is being served."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from m2trec_merlin.cli.options import DEFAULT_CONFIG, ConfigOption, SetOption, VariantOption, exported_by
from m2trec_merlin.cli.progress import TerminalProgress
from m2trec_merlin.cli.terminal import console, escape, print_plain
from m2trec_merlin.contract.repository import find_repository

if TYPE_CHECKING:
    from m2trec_merlin.contract.catalogue import CatalogueVersion
    from m2trec_merlin.serving.catalogue.run import CatalogueVerbs

app = typer.Typer(
    name="catalog",
    help="Change the items of an exported model without training. A running server takes it up by itself.",
    no_args_is_help=True,
)

TableArgument = Annotated[
    Path, typer.Argument(help="Items, with the columns of the run's items table: Parquet or CSV.")
]
IdsArgument = Annotated[list[str] | None, typer.Argument(help="Ids of items.")]
IdsOption = Annotated[Path | None, typer.Option("--table", help="A table, all of whose ids are meant.")]
RunOption = Annotated[
    Path | None,
    typer.Option("--run", help="The folder of a run, or a model repository; default: as configured."),
]

#: Niceness of the process that makes a change.
_NICE = 5
#: The most ids that `list` shows per kind of change.
_NAMED = 20


@app.command()
def add(
    table: TableArgument,
    run: RunOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    variant: VariantOption = None,
) -> None:
    """Add the items of a table, all of which must be new.

    The columns hidden, available_from and available_until say when they may be recommended.
    """
    _change(lambda verbs: verbs.add(table), _repository(run, config, settings, variant))


@app.command()
def update(
    table: TableArgument,
    run: RunOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    variant: VariantOption = None,
) -> None:
    """Change attributes of items in the catalogue, or when they are available. They keep their history.

    Attributes without a column in the table stay as they are; an empty cell removes the value.
    """
    _change(lambda verbs: verbs.update(table), _repository(run, config, settings, variant))


def _verb_of_ids(
    name: str, purpose: str, act: Callable[[CatalogueVerbs, list[str], Path | None], CatalogueVersion]
) -> None:
    """Register a command that takes ids of items, as arguments or in a table."""

    def verb(
        item_ids: IdsArgument = None,
        table: IdsOption = None,
        run: RunOption = None,
        config: ConfigOption = DEFAULT_CONFIG,
        settings: SetOption = None,
        variant: VariantOption = None,
    ) -> None:
        _change(lambda verbs: act(verbs, item_ids or [], table), _repository(run, config, settings, variant))

    verb.__doc__ = purpose
    app.command(name)(verb)


_verb_of_ids(
    "remove",
    "Take items out of the catalogue: from then on, their ids are unknown.",
    lambda verbs, ids, table: verbs.remove(ids, table),
)
_verb_of_ids(
    "hide",
    "Recommend items no more; sessions may hold them all the same.",
    lambda verbs, ids, table: verbs.hide(ids, table),
)
_verb_of_ids(
    "show",
    "Recommend hidden items again.",
    lambda verbs, ids, table: verbs.hide(ids, table, hidden=False),
)


@app.command()
def rollback(
    number: Annotated[
        int | None,
        typer.Argument(min=0, help="Version to go back to; 0: as exported; default: the one before."),
    ] = None,
    run: RunOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    variant: VariantOption = None,
) -> None:
    """Go back to an earlier version of the catalogue."""
    _change(lambda verbs: verbs.rollback(number), _repository(run, config, settings, variant))


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every item.")] = False,
    run: RunOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    variant: VariantOption = None,
) -> None:
    """Show what has changed since the export."""
    from m2trec_merlin.serving.catalogue.run import CatalogueVerbs

    found = CatalogueVerbs(_repository(run, config, settings, variant)).summary(time.time())
    if as_json:
        print_plain(json.dumps(asdict(found), indent=1))
        return
    table = Table(
        box=SIMPLE_HEAD, title=f"version {found.version}: {found.items:,} items", title_justify="left"
    )
    for column in ("since the export", "items", "ids"):
        table.add_column(column, justify="right" if column == "items" else "left")
    for name, ids in found.changed.items():
        more = ", ..." if len(ids) > _NAMED else ""
        table.add_row(name, f"{len(ids):,}", escape(", ".join(ids[:_NAMED])) + more)
    console.print(table)


@app.command()
def history(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    run: RunOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    variant: VariantOption = None,
) -> None:
    """List the versions of the catalogue that `rollback` can go back to."""
    from m2trec_merlin.serving.catalogue.run import CatalogueVerbs

    versions = CatalogueVerbs(_repository(run, config, settings, variant)).versions
    current, rows = versions.current(), versions.all()
    if as_json:
        known = [{name: getattr(each, name) for name in _COLUMNS} for each in rows]
        print_plain(json.dumps({"current": current, "versions": known}, indent=1))
        return
    table = Table(box=SIMPLE_HEAD)
    for column in ("version", "from", "when (UTC)", "items", "what"):
        table.add_column(column, justify="left" if column in ("when (UTC)", "what") else "right")
    exported = versions.about(0)
    table.add_row(f"{'* ' if current == 0 else ''}0", "", "", f"{exported.items:,}", exported.did)
    for each in rows:
        when = datetime.fromtimestamp(each.written, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        number = f"{'* ' if each.number == current else ''}{each.number}"
        table.add_row(number, str(each.parent), when, f"{each.items:,}", escape(each.did))
    console.print(table)


_COLUMNS = ("number", "parent", "did", "written", "export", "items")


def _repository(run: Path | None, config: Path, settings: Sequence[str] | None, variant: str | None) -> Path:
    return find_repository(exported_by(run, config, list(settings or []), variant))


def _change(act: Callable[[CatalogueVerbs], CatalogueVersion], repository: Path) -> None:
    # The server may run on the same cores, and its requests come first.
    os.setpriority(os.PRIO_PROCESS, 0, max(_NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    from m2trec_merlin.merlin_adapter import import_lightly
    from m2trec_merlin.serving.catalogue.run import CatalogueVerbs

    import_lightly()
    with TerminalProgress() as progress:
        version = act(CatalogueVerbs(repository, progress))
        progress.say(f"version {version.number}: {version.did}; {version.items:,} items")
