"""`m2trec try`: a page in the browser to try sessions on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from m2trec_merlin.cli.options import DEFAULT_CONFIG, ConfigOption, SetOption, VariantOption, exported_by
from m2trec_merlin.cli.progress import TerminalProgress

app = typer.Typer()


@app.command("try")
def try_(
    run: Annotated[
        Path | None,
        typer.Argument(help="The folder of a run, or a link to it; default: that of the configuration."),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="The folder of a second run, whose answers stand beside.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    settings: SetOption = None,
    variant: VariantOption = None,
    host: Annotated[
        str, typer.Option(help="The interface to listen on; 0.0.0.0 is all of them.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8010,
) -> None:
    """Show a page in the browser to try sessions on; needs no running server."""
    from m2trec_merlin.web.run import show_page

    first = exported_by(run, config, settings, variant)
    with TerminalProgress() as progress:
        show_page([first] if against is None else [first, against], host, port, progress)
