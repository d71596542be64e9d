"""The command `m2trec`: each verb reads a configuration and runs one step of the pipeline."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from m2trec_merlin.cli import asking, catalog, comparisons, trying, verbs
from m2trec_merlin.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    ForceOption,
    FromOption,
    SetOption,
    VariantOption,
    found_config,
    read_config,
)
from m2trec_merlin.cli.remedies import complete
from m2trec_merlin.cli.terminal import console, errors, escape
from m2trec_merlin.config import parse_overrides, serving_of
from m2trec_merlin.errors import CommandLineError, NothingToDoError, message_of
from m2trec_merlin.runs import HeldOut
from m2trec_merlin.version import __version__

#: Exit code of a verb that was stopped by Ctrl-C.
STOPPED = 130
#: Exit codes of errors; that of all others is 1.
_CODES: dict[type[Exception], int] = {CommandLineError: 2, NothingToDoError: 4}
#: Options with which a command begins its work anew, whatever an earlier call left behind.
_ANEW = ("--force", "--restart")

app = typer.Typer(
    name="m2trec",
    help="Session-based recommendations from item metadata, from raw tables to a Triton ensemble.\n\n"
    "Each command does one step and can be run again: finished work is kept, killed work goes on.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(catalog.app)
app.add_typer(comparisons.app)
app.add_typer(trying.app)

DEFAULT_DRAFT = Path("shop.yaml")


@app.command(context_settings={"allow_extra_args": True})
def init(
    context: typer.Context,
    events: Annotated[Path, typer.Argument(help="Table of events: who touched which item, and when.")],
    items: Annotated[
        Path | None,
        typer.Argument(
            help="Table of items: an id, and what describes it. None: the events say what their items are."
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The configuration to write.")
    ] = DEFAULT_DRAFT,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Look at your tables and write a commented configuration for them."""
    more = [items] if items else []
    verbs.run_init([events, *more, *map(Path, context.args)], output, force)


@app.command()
def data(
    config: ConfigOption = DEFAULT_CONFIG, settings: SetOption = None, force: ForceOption = False
) -> None:
    """Read the raw tables, check them and split the sessions."""
    verbs.run_data(read_config(config, settings), force)


@app.command()
def check(
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print valid, problems, notices and counts as JSON.")
    ] = False,
    schema: Annotated[
        bool,
        typer.Option(
            "--schema",
            help="Print the JSON Schema of each table's rows and of configurations; reads no data.",
        ),
    ] = False,
) -> None:
    """Check configuration and tables as `data` does, but write nothing. Exit code 1: not valid."""
    from m2trec_merlin.cli.checking import print_schema, run_check

    if schema:
        print_schema(read_config(config, settings))
    else:
        raise typer.Exit(run_check(lambda: read_config(config, settings), as_json))


@app.command()
def doctor(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Hold the machine against this configuration and its catalogue."),
    ] = None,
    settings: SetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print able and findings as JSON.")] = False,
) -> None:
    """Report what this machine has and lacks, and what that costs. Exit code 3: some verb cannot run here."""
    from m2trec_merlin.cli.diagnosing import run_doctor

    found = found_config(config, settings)
    raise typer.Exit(run_doctor(None if found is None else read_config(found, settings), as_json))


@app.command()
def preprocess(
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    dask: Annotated[
        str | None, typer.Option(help="Run NVTabular on Dask: local:N or tcp://scheduler:8786.")
    ] = None,
    earlier: FromOption = None,
    force: ForceOption = False,
) -> None:
    """Run the NVTabular workflows to make catalogue and sessions.

    With --from, the vocabularies of an earlier run are extended: known values keep their ids.
    """
    verbs.run_preprocess(read_config(config, settings), dask, force, earlier)


@app.command()
def train(
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    variant: VariantOption = None,
    earlier: FromOption = None,
    resume: Annotated[
        bool, typer.Option("--resume/--restart", help="Go on from the newest checkpoint, or start anew.")
    ] = True,
    force: ForceOption = False,
) -> None:
    """Train the model; a killed training continues where it stopped.

    With --from, training on new sessions and items starts from the weights of an earlier run; `preprocess
    --from` runs first if needed.
    """
    verbs.run_train(read_config(config, settings, variant), resume, force, earlier)


@app.command()
def evaluate(
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    variant: VariantOption = None,
    split: Annotated[
        HeldOut, typer.Option(help="Whose sessions: valid to choose on, test for what is reported.")
    ] = "test",
    force: ForceOption = False,
) -> None:
    """Measure the model and the baselines; write metrics, plots and an HTML report."""
    verbs.run_evaluate(read_config(config, settings, variant), force, split)


@app.command()
def tune(
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    variant: VariantOption = None,
    force: ForceOption = False,
) -> None:
    """Choose on validation sessions what is mixed with the model; `evaluate` and `export` do so if needed."""
    verbs.run_tune(read_config(config, settings, variant), force)


@app.command()
def export(
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    variant: VariantOption = None,
    force: ForceOption = False,
) -> None:
    """Write workflow and model as a Triton ensemble."""
    verbs.run_export(read_config(config, settings, variant), force)


@app.command()
def serve(
    run: Annotated[
        Path | None,
        typer.Argument(help="The folder of a run, or a link to it; default: that of the configuration."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="How it is served, and what; not needed beside RUN."),
    ] = None,
    settings: SetOption = None,
    variant: VariantOption = None,
    beside: Annotated[
        Path | None, typer.Option(help="The folder of a second run, to answer a share of the sessions.")
    ] = None,
    share: Annotated[
        float, typer.Option(min=0, max=1, help="Of sessions (by the option session_key) for --beside.")
    ] = 0.5,
) -> None:
    """Serve the exported ensemble with a real Triton Inference Server on this machine."""
    found = found_config(config)
    if run is not None and variant is not None:
        raise CommandLineError("--variant: changes nothing of a run that is named: leave it out")
    if run is not None and found is None:
        verbs.run_serve(serving_of(parse_overrides(settings or [])), run, beside, share)
    else:
        verbs.run_serve(read_config(found or DEFAULT_CONFIG, settings, variant), run, beside, share)


@app.command()
def recommend(
    session: Annotated[
        list[str],
        typer.Argument(
            help="The session, latest item last: item ids, or raw attributes of an item that the "
            'catalogue has never had, as JSON: \'{"title": "oat milk", "department": "dairy"}\'.'
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="Where the server is, and titles of the session's items; not needed beside --address.",
        ),
    ] = None,
    settings: SetOption = None,
    address: Annotated[
        str | None, typer.Option(help="host:port of Triton's gRPC; default: as configured.")
    ] = None,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1)] = 10,
    exclude: Annotated[list[str] | None, typer.Option(help="An item id never to recommend.")] = None,
    repeat: Annotated[
        bool, typer.Option("--repeat/--no-repeat", help="Whether items of the session may come back.")
    ] = True,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="COLUMN=VALUE",
            help="Only items with this value, or COLUMN!=VALUE; of numbers also COLUMN>=1, COLUMN<=5.",
        ),
    ] = None,
    boost: Annotated[
        float | None,
        typer.Option("--new-item-boost", help="Added to the scores of new items; default: as exported."),
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(help="TLS: certificates (PEM) of those who signed the server's.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="TLS: this client's certificate (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="TLS: the key that belongs to it (PEM).")] = None,
    popularity: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="How much popularity counts, from 1, as trained, down to 0."),
    ] = None,
    candidates: Annotated[
        list[str] | None,
        typer.Option(
            help="An item to rank, and no other: an id, or attributes with an item_id as JSON. Repeatable."
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say by what each item came: source (event, attribute)."),
    ] = False,
) -> None:
    """Ask a running server over gRPC and print its recommendations."""
    # A server at an address may belong to any shop, so the default configuration need not be its own.
    found = config or (DEFAULT_CONFIG if address is None or settings else None)
    asking.run_recommend(
        None if found is None else read_config(found, settings),
        session,
        address,
        (ca, certificate, key),
        filters or [],
        candidates or [],
        top_k=top_k,
        exclude=exclude,
        exclude_session_items=None if repeat else True,
        new_item_boost=boost,
        popularity=popularity,
        explain=explain or None,
    )


@app.command()
def demo(config: ConfigOption = DEFAULT_CONFIG, settings: SetOption = None) -> None:
    """Run all steps on real data, up to recommendations over gRPC."""
    from m2trec_merlin.cli.demo import run_demo, write_configuration

    is_missing = config == DEFAULT_CONFIG and not config.is_file()
    run_demo(read_config(write_configuration() if is_missing else config, settings))


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        console.print(f"m2trec-merlin {__version__}", highlight=False)
        raise typer.Exit


def main() -> None:
    """Run the command line; print our own errors and those of the disk as a message without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # Names of files may hold characters that the terminal cannot encode.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except Exception as error:
        if (message := message_of(error)) is None:
            raise
        text = escape(complete(message))
        errors.print(f"[bold red]Error:[/bold red] {text}", soft_wrap=True, highlight=False)
        sys.exit(_CODES.get(type(error), 1))
    except (KeyboardInterrupt, SystemExit) as end:
        # Typer silently turns a KeyboardInterrupt into a SystemExit.
        code = STOPPED if isinstance(end, KeyboardInterrupt) else end.code
        if code == STOPPED:
            anew = next((option for option in _ANEW if option in sys.argv), None)
            same = (
                f"The same command begins anew, as {anew} says."
                if anew
                else "Run the same command again to go on."
            )
            errors.print(f"Stopped. {same}")
        raise SystemExit(code) from None
