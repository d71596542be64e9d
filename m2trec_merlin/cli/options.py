"""Options shared by many commands, and functions that load the configuration they name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from m2trec_merlin.cli.remedies import remember, remember_folder
from m2trec_merlin.cli.terminal import errors, print_plain
from m2trec_merlin.config import VARIANTS, Config, load_config, parse_overrides
from m2trec_merlin.config.variants import require_variant
from m2trec_merlin.contract.repository import require_repository
from m2trec_merlin.errors import CommandLineError
from m2trec_merlin.runs import Run

DEFAULT_CONFIG = Path("configs/complete_journey.yaml")

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="YAML or TOML file; see configs/.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="KEY=VALUE", help="Replace a setting, as in training.epochs=3."),
]


def _known_variant(variant: str | None) -> str | None:
    try:
        return None if variant is None else require_variant(variant)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


VariantOption = Annotated[
    str | None,
    typer.Option(
        "--variant", help=f"A variant of the paper: {', '.join(VARIANTS)}.", callback=_known_variant
    ),
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
    """Return the path of an optional configuration: the one given, or the default if it exists.

    Settings require a configuration, so with them the default is returned in any case.
    """
    return DEFAULT_CONFIG if path is None and (settings or DEFAULT_CONFIG.is_file()) else path


def read_config(path: Path, settings: list[str] | None = None, variant: str | None = None) -> Config:
    """Load a configuration, apply command-line settings and a variant, and print its warnings.

    Variants other than M2TRec share the data, but have their own model, evaluation and export.

    Raises:
        CommandLineError: a setting cannot be read, or names another variant than the option.
        ConfigError: the file cannot be read, or anything in it is wrong.
    """
    remember(None if path == DEFAULT_CONFIG else path, settings or [], variant)
    overrides = parse_overrides(settings or [])
    if variant is not None and (other := overrides.setdefault("variant", variant)) != variant:
        raise CommandLineError(
            f"--variant {variant}: --set variant={other} names another one; say once which one is meant"
        )
    config = load_config(path, overrides)
    remember_folder(config.directory)
    for line in config.warnings():
        print_plain(f"Warning: {line}", errors)
    return config


def exported_by(run: Path | None, config: Path, settings: list[str] | None, variant: str | None) -> Path:
    """Return the location of an export: the given run, or the model repository of the configuration.

    Args:
        run: the folder of a run, or a link to it.
        config: the configuration given, or the default.
        settings: settings as KEY=VALUE.
        variant: the variant of the model.

    Raises:
        ArtifactError: nothing was exported with the configuration.
        CommandLineError: a run is given with options of a configuration; names them.
    """
    if run is None:
        return require_repository(Run(read_config(config, settings, variant)).triton)
    given = {"-c": config != DEFAULT_CONFIG, "--set": bool(settings), "--variant": variant is not None}
    if named := [option for option, is_given in given.items() if is_given]:
        raise CommandLineError(f"{', '.join(named)}: changes nothing of a run that is named: leave it out")
    return run
