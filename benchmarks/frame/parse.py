"""The command line of a benchmark or experiment; options that several of them share are defined here."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from m2trec_merlin.cli.app import read_config
from m2trec_merlin.config import Config
from m2trec_merlin.errors import ConfigError

ROOT = Path(__file__).parents[2]

T = TypeVar("T")


class Parser(ArgumentParser):
    """Parser of the options of one benchmark or experiment; all of them have `--output`.

    Args:
        folder: `benchmarks` or `experiments`.
        name: name of the benchmark or experiment.
        description: text at the beginning of `--help`.
    """

    def __init__(self, folder: str, name: str, description: str) -> None:
        super().__init__(
            prog=f"python -m {folder} {name}",
            description=description,
            formatter_class=RawDescriptionHelpFormatter,
        )
        self._how = {"help"}
        self._presets: dict[str, dict[str, Any]] = {}
        results = ROOT / folder / "results"
        self.add_how("--output", type=Path, default=results, help="folder of the results")

    def add_config(self, default: str) -> None:
        """Add the options from which `read` makes a configuration."""
        self.add_argument("-c", "--config", type=Path, default=Path(default), help=f"default: {default}")
        self.add_argument("-s", "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting")
        self.add_how("--work-dir", type=Path, help="folder of the run, if not the configured one")

    def add_export(self) -> None:
        """Add `--repository` and `--data`, for an exported run."""
        self.add_argument("--repository", type=Path, required=True, help="folder that `m2trec export` wrote")
        self.add_argument("--data", type=Path, required=True, help="folder that `m2trec data` wrote")

    def add_seeds(self, default: Sequence[int] | None, help: str) -> None:
        """Add `--seeds`."""
        self.add_argument("--seeds", type=int, nargs="+", default=default, help=help)

    def add_force(self) -> None:
        """Add `--force`, for benchmarks that keep finished parts."""
        self.add_how("--force", action="store_true", help="do again what was already finished")

    def add_how(self, *names: str, **settings: Any) -> None:
        """Add an option that does not affect the result, and so is not part of the stamp."""
        self._how.add(self.add_argument(*names, **settings).dest)

    def add_preset(self, name: str, help: str, **defaults: Any) -> None:
        """Add an option that stands for several others, which the command line can still override."""
        self.add_how(name, action="store_true", help=help)
        self._presets[name.removeprefix("--")] = defaults

    def parse_args(self, arguments: Any = None, namespace: Any = None) -> Any:
        """Read the command line, with presets applied."""
        options = super().parse_args(arguments, namespace)
        for name, defaults in self._presets.items():
            if getattr(options, name):
                self.set_defaults(**defaults)
                options = super().parse_args(arguments, namespace)
        return options

    def spell(self, options: Namespace) -> str:
        """Return the command that gives the same results, including defaults."""
        words = self.prog.split()
        for action in self._actions:
            value = getattr(options, action.dest, None)
            if action.dest in self._how or value is None:
                continue
            values = value if isinstance(value, list | tuple) else [value]
            if action.dest == "set":
                words += [word for one in values for word in ("--set", one)]
            elif values:
                texts = [f"{one:g}" if isinstance(one, float) else str(one) for one in values]
                words += [action.option_strings[-1], *texts]
        return shlex.join(words)


def read(options: Namespace) -> Config:
    """Return the configuration that the options name.

    Raises:
        ConfigError: the configuration cannot be read or has mistakes.
    """
    work_dir = [f"work_dir={options.work_dir}"] if options.work_dir else []
    return read_config(options.config, [*options.set, *work_dir])


def choose(
    things: Sequence[T],
    names: Sequence[str] | None,
    label: Callable[[T], str],
    fits: Callable[[str, str], bool],
    kind: str,
) -> list[T]:
    """Return the things that match one of the names, ignoring case, in their order; all things if no names.

    Args:
        things: things to choose from.
        names: wanted names.
        label: function that returns a thing's whole name.
        fits: whether a whole and a wanted name match, such as `str.startswith`.
        kind: what a thing is called in messages.

    Raises:
        ConfigError: a name matches nothing.
    """
    chosen: set[str] = set()
    for name in names or map(label, things):
        found = {label(thing) for thing in things if fits(label(thing).lower(), name.lower())}
        if not found:
            raise ConfigError(f"no {kind} '{name}'; there are: {', '.join(map(label, things))}")
        chosen |= found
    return [thing for thing in things if label(thing) in chosen]
