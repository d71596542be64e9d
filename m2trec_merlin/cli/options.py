"""Options that many commands have, and the configuration that they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from m2trec_merlin.cli.remedies import remember, remember_folder
from m2trec_merlin.cli.terminal import errors
from m2trec_merlin.config import VARIANTS, Config, load_config, parse_overrides
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.runs import Run

DEFAULT_CONFIG = Path("configs/complete_journey.yaml")

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


def found_config(path: Path | None, settings: list[str] | None = None) -> Path | None:
    """Return the configuration that a command can do without: the named one, or the default if it is there.

    Where settings are given there must be one.
    """
    return DEFAULT_CONFIG if path is None and (settings or DEFAULT_CONFIG.is_file()) else path


def read_config(path: Path, settings: list[str] | None = None, variant: str | None = None) -> Config:
    """Load a configuration with command-line settings and a variant applied, and print its warnings.

    A variant other than M2TRec shares the data and keeps its own model, evaluation and export.
    """
    remember(None if path == DEFAULT_CONFIG else path, settings or [], variant)
    config = load_config(path, parse_overrides(settings or []), variant)
    remember_folder(config.directory)
    for line in config.warnings():
        errors.print(f"Warning: {line}", markup=False, highlight=False, soft_wrap=True)
    return config


def exported_by(run: Path | None, config: Path, settings: list[str] | None, variant: str | None) -> Path:
    """Return where an export is: the run that is named, or the model repository of a configuration's.

    Args:
        run: a folder, or a link to one.
        config: as given, or the default.
        settings: KEY=VALUE.
        variant: of the model.

    Raises:
        ConfigError: something is said of a configuration beside a run, which has its own; names it.
    """
    if run is None:
        return Run(read_config(config, settings, variant)).triton
    given = {"-c": config != DEFAULT_CONFIG, "--set": bool(settings), "--variant": variant is not None}
    if named := [option for option, is_given in given.items() if is_given]:
        raise ConfigError(f"{', '.join(named)}: changes nothing of a run that is named: leave it out")
    return run
