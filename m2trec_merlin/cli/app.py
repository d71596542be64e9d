"""The command `m2trec`: reads one configuration, runs one step of the pipeline, shows what it does."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from m2trec_merlin import __version__
from m2trec_merlin.cli import verbs
from m2trec_merlin.cli.remedies import complete, remember
from m2trec_merlin.cli.terminal import console, errors
from m2trec_merlin.config import VARIANTS, Config, load_config, parse_overrides
from m2trec_merlin.errors import message_of

app = typer.Typer(
    name="m2trec",
    help="Session-based recommendations from item metadata, from raw tables to a Triton ensemble.\n\n"
    "Each command does one step and can be run again: finished work is kept, killed work goes on.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

DEFAULT_CONFIG = Path("configs/complete_journey.yaml")
DEFAULT_DRAFT = Path("shop.yaml")

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="YAML or TOML file; see configs/.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="KEY=VALUE", help="Replace a setting, as in training.epochs=3."),
]
VariantOption = Annotated[
    str | None, typer.Option("--variant", help=f"A variant of the paper: {', '.join(VARIANTS)}.")
]
FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="RUN",
        help="Go on from a trained run: its folder, a link to it, or its configuration file.",
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Do it again even if the result is current.")]


def read_config(path: Path, settings: list[str] | None = None, variant: str | None = None) -> Config:
    """Load a configuration with command-line settings and a variant applied, and print its warnings.

    A variant other than M2TRec shares the data and keeps its own model, evaluation and export.
    """
    remember(None if path == DEFAULT_CONFIG else path, settings or [], variant)
    config = load_config(path, parse_overrides(settings or []), variant)
    for line in config.warnings():
        errors.print(f"Warning: {line}", markup=False, highlight=False, soft_wrap=True)
    return config


@app.command()
def init(
    clicks: Annotated[Path, typer.Argument(help="Table of events: who touched which item, and when.")],
    items: Annotated[Path, typer.Argument(help="Table of items: an id, and what describes it.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The configuration to write.")
    ] = DEFAULT_DRAFT,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Look at two tables and write a commented configuration for them."""
    verbs.run_init(clicks, items, output, force)


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
    """Check configuration and tables as `data` does, and write nothing; exit code 1: not valid."""
    from m2trec_merlin.cli.checking import print_schema, run_check

    if schema:
        print_schema(read_config(config, settings))
    else:
        raise typer.Exit(run_check(lambda: read_config(config, settings), as_json))


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
    """Run the NVTabular workflows: catalogue and sessions; with --from, vocabularies grow at their end."""
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
    """Train the model; a killed training goes on where it stood.

    With --from, new sessions and items are trained on from the weights of an earlier run; what `preprocess
    --from` would do is done before, if it is not done yet.
    """
    verbs.run_train(read_config(config, settings, variant), resume, force, earlier)


@app.command()
def evaluate(
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    variant: VariantOption = None,
    force: ForceOption = False,
) -> None:
    """Measure the model beside the baselines; writes metrics, plots and an HTML report."""
    verbs.run_evaluate(read_config(config, settings, variant), force)


@app.command()
def tune(
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    variant: VariantOption = None,
    prefixes: Annotated[int, typer.Option(min=1, help="Validation prefixes, a sample.")] = 4000,
) -> None:
    """Find what neighbours, words and rarity should count beside the model, on validation."""
    verbs.run_tune(read_config(config, settings, variant), prefixes)


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
    config: ConfigOption = DEFAULT_CONFIG,
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
    verbs.run_serve(read_config(config, settings, variant), run, beside, share)


@app.command()
def recommend(
    session: Annotated[
        list[str],
        typer.Argument(
            help="The session, latest item last: item ids, or raw attributes of an item that the "
            'catalogue has never had, as JSON: \'{"title": "oat milk", "department": "dairy"}\'.'
        ),
    ],
    config: ConfigOption = DEFAULT_CONFIG,
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
) -> None:
    """Ask a running server over gRPC and print its recommendations."""
    verbs.run_recommend(
        read_config(config, settings),
        session,
        address,
        top_k,
        exclude or [],
        not repeat,
        filters or [],
        boost,
        (ca, certificate, key),
        popularity,
    )


@app.command()
def replay(
    log: Annotated[Path, typer.Argument(help="What was asked and shown: the folder serving.log.folder.")],
    against: Annotated[Path, typer.Option(help="A run's folder, or the model repository itself.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Places of an answer that count.")] = 20,
    at_least: Annotated[
        float | None, typer.Option(min=0, max=1, help="Overlap below which the exit code is 3.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Answer logged requests again by another export, and say how far its answers differ."""
    from m2trec_merlin.cli.versions import run_replay

    raise typer.Exit(run_replay(log, against, k, at_least, as_json))


@app.command()
def promote(
    candidate: Annotated[Path, typer.Argument(help="A run: its folder, or its configuration file.")],
    over: Annotated[Path, typer.Option(help="The run that is served, or the link to it: runs/current.")],
    metric: Annotated[str, typer.Option(help="What decides, on validation sessions.")] = "HIT@20",
    margin: Annotated[
        float,
        typer.Option(min=0, max=1, help="By which it may be worse, so that a fresher model takes over."),
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a run the current one if it is better by more than chance; exit code 3: it is not."""
    from m2trec_merlin.cli.versions import run_promote

    raise typer.Exit(run_promote(candidate, over, metric, margin, as_json))


@app.command()
def drift(
    data: Annotated[Path, typer.Argument(help="New data: a configuration, or the folder of a run.")],
    earlier: Annotated[
        Path,
        typer.Option(
            "--from", metavar="RUN", help="The trained run to compare with: its folder, or a link to it."
        ),
    ],
    settings: SetOption = None,
    distance: Annotated[
        float, typer.Option(min=0, max=1, help="Of distributions, beyond chance: more is drift.")
    ] = 0.1,
    share: Annotated[
        float, typer.Option(min=0, max=1, help="By which a share may grow: more is drift.")
    ] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare new data with what a run was trained on; exit code 3: they have drifted."""
    from m2trec_merlin.cli.drift import run_drift

    raise typer.Exit(run_drift(data, earlier, settings or [], distance, share, as_json))


@app.command()
def demo(config: ConfigOption = DEFAULT_CONFIG, settings: SetOption = None) -> None:
    """Do the whole job on real data, up to recommendations over gRPC."""
    from m2trec_merlin.cli.demo import run_demo

    run_demo(read_config(config, settings))


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        console.print(f"m2trec-merlin {__version__}", highlight=False)
        raise typer.Exit


def main() -> None:
    """Run the command line; errors of ours, and those of the disk, are one message without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # Names of files may hold what a terminal cannot show.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except Exception as error:
        if (message := message_of(error)) is None:
            raise
        text = escape(complete(message))
        errors.print(f"[bold red]Error:[/bold red] {text}", soft_wrap=True, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print("Stopped. Run the same command again to go on.")
        sys.exit(130)
