"""Commands that compare: runs, their answers to logged requests, and new data with training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from m2trec_merlin.cli.options import SetOption
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.runs import HeldOut

app = typer.Typer()


@app.command()
def runs(
    folder: Annotated[
        Path, typer.Argument(help="That holds runs, or is one; a run's variants are listed with it.")
    ] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print all that manifests tell as JSON.")] = False,
) -> None:
    """List runs: their data, the last step that is done, and what was measured."""
    from m2trec_merlin.cli.listing import print_runs

    print_runs(folder, as_json)


def _two_or_more(runs: list[Path]) -> list[Path]:
    if len(runs) < 2:
        raise typer.BadParameter("name two or more")
    return runs


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Two runs or more: their folders, or links to them.", callback=_two_or_more),
    ],
) -> None:
    """Compare runs side by side: the settings that differ, and what was measured on test sessions."""
    from m2trec_merlin.cli.listing import print_comparison

    print_comparison(runs)


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
    """Answer logged requests again with another export, and show how much its answers differ."""
    from m2trec_merlin.cli.versions import run_replay

    raise typer.Exit(run_replay(log, against, k, at_least, as_json))


def _readable_metric(text: str) -> str:
    from m2trec_merlin.evaluation.metrics import MetricAt

    try:
        MetricAt.parse(text)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from None
    return text


@app.command()
def promote(
    candidate: Annotated[Path, typer.Argument(help="A run: its folder, or its configuration file.")],
    over: Annotated[Path, typer.Option(help="The run that is served, or the link to it: runs/current.")],
    metric: Annotated[str, typer.Option(help="What decides.", callback=_readable_metric)] = "HIT@20",
    margin: Annotated[
        float,
        typer.Option(min=0, max=1, help="By which it may be worse, so that a fresher model takes over."),
    ] = 0.0,
    split: Annotated[
        HeldOut,
        typer.Option(help="Of the candidate: on valid, where it was chosen, it looks better."),
    ] = "test",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a run the current one if it is better by more than chance. Exit code 3: it is not."""
    from m2trec_merlin.cli.versions import run_promote

    raise typer.Exit(run_promote(candidate, over, metric, margin, split, as_json))


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
    """Compare new data with the data that a run was trained on. Exit code 3: they have drifted."""
    from m2trec_merlin.cli.drift import run_drift

    raise typer.Exit(run_drift(data, earlier, settings or [], distance, share, as_json))
