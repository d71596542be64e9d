"""Train and measure every model of the paper's tables on one data set.

    m2trec bench paper -c configs/instacart.yaml
    python -m benchmarks.paper -c configs/instacart.yaml --seeds 42 43 44 --budget-seconds 600

Every cell (a model with a seed) is kept under runs/NAME/paper when it is finished: a benchmark that was
killed goes on after it, and one of our own models within it. What is known so far is written after each cell:
paper-NAME.json, paper-NAME.md and plots. All cells are chosen on validation and measured on test once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.paper.cells import EVERY_SEED, Cell, choose, plan
from benchmarks.paper.fitted import run_fitted
from benchmarks.paper.recbole import SETTINGS, run_recbole
from benchmarks.paper.report import publish
from benchmarks.paper.results import CellResult, read_result, write_result
from benchmarks.paper.variants import run_variant, variant_config
from benchmarks.records import commit
from benchmarks.training.process import RunnerFailed
from m2trec_merlin.artifacts import fingerprint, require_manifest
from m2trec_merlin.attributes import Attribute
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.cli.app import read_config
from m2trec_merlin.config import Config
from m2trec_merlin.data.preparation import prepare_data
from m2trec_merlin.encoded import Layout
from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.evaluation.ranking import sample_prefixes
from m2trec_merlin.model.storage import FORMAT
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.sessions import Prefixes, Sessions

RESULTS = Path(__file__).parents[1] / "results"

#: Validation prefixes by which RecBole's best moment is chosen.
VALIDATION_PREFIXES = 5_000


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="m2trec bench paper",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/instacart.yaml"))
    parser.add_argument("-s", "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42], help="the first one is for all models")
    parser.add_argument(
        "--every-seed", nargs="+", default=list(EVERY_SEED), help="variants that are trained with all seeds"
    )
    parser.add_argument(
        "--budget-seconds", type=float, default=600.0, help="of training, for each of RecBole's models"
    )
    parser.add_argument("--cells", nargs="+", help="only these, by the start of their names (trec_id-43)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of tables and plots")
    parser.add_argument("--force", action="store_true", help="measure again what was already finished")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    options = parse(arguments)
    console = Console()
    config = read_config(options.config, options.set)
    cells = plan(config, options.seeds, options.every_seed)
    chosen = choose(cells, options.cells)
    prepare_data(config)
    preprocess(config)
    bench = PaperBench(config, options.budget_seconds, console)
    command = (
        f"m2trec bench paper -c {options.config} --seeds {' '.join(map(str, options.seeds))} "
        f"--every-seed {' '.join(options.every_seed)} --budget-seconds {options.budget_seconds:g}"
    )
    results, failed = [], []
    for cell in cells:
        kept = bench.kept(cell)
        if cell in chosen and (kept is None or options.force):
            console.rule(f"{cell.title}, seed {cell.seed}", align="left")
            try:
                kept = bench.run(cell)
            except (RunnerFailed, M2TRecError) as error:
                console.print(f"FAILED: {error}", style="red", highlight=False)
                failed.append(cell.slug)
        if kept is not None:
            results.append(kept)
            publish(results, config, options.output, command)
    console.print(
        f"{len(results)} of {len(cells)} cells; tables: {options.output / f'paper-{config.name}.md'}"
    )
    if failed:
        console.print(f"failed: {', '.join(failed)}; the same command tries them again")
    return 1 if failed else 0


class PaperBench:
    """Runs cells on prepared data and keeps what comes out.

    Args:
        config: of the data and of M2TRec; variants are changes of it.
        budget_seconds: of training, for RecBole's models. Ours train as configured.
        console: where progress is shown.
    """

    def __init__(self, config: Config, budget_seconds: float, console: Console) -> None:
        self.config = config
        self.budget_seconds = budget_seconds
        self.console = console
        # Of the code that runs, whatever is edited meanwhile.
        self.commit = commit()
        data = config.directory / "preprocessed"
        self.preprocessing = require_manifest(data, "preprocess")["settings"]
        self.catalogue = Catalogue.load(data / "catalogue")
        self.sessions = {name: Sessions.load(data / "sessions" / name) for name in ("train", "valid", "test")}

    def kept(self, cell: Cell) -> CellResult | None:
        """Return what an earlier run left of this cell with the same data and settings."""
        return read_result(self._path(cell), self._key(cell))

    def run(self, cell: Cell) -> CellResult:
        """Train and measure a cell, and keep it."""
        prefixes = self._prefixes("test", self.config.evaluation.max_prefixes)
        arguments = (cell, self.config, self.catalogue)
        if cell.kind in ("variant", "blend"):
            result = run_variant(*arguments, self.sessions["train"], prefixes, self.commit, self.console)
        elif cell.kind == "recbole":
            validation = self._prefixes("valid", VALIDATION_PREFIXES)
            result = run_recbole(
                *arguments,
                self.sessions["train"],
                validation,
                prefixes,
                self.commit,
                self.budget_seconds,
                self.console.print,
            )
        else:
            result = run_fitted(*arguments, self.sessions["train"], prefixes, self.commit)
        write_result(self._path(cell), result, self._key(cell))
        return result

    def _prefixes(self, split: str, size: int | None) -> Prefixes:
        return sample_prefixes(self.sessions[split].prefixes(), size, self.config.seed)

    def _path(self, cell: Cell) -> Path:
        return self.config.directory / "paper" / f"{cell.slug}.json"

    def _key(self, cell: Cell) -> str:
        depends: dict[str, Any] = {
            "data": {name: value for name, value in self.preprocessing.items() if name != "attributes"},
            "attributes": [a.model_dump(mode="json") for a in self._attributes_read(cell)],
            "evaluation": self.config.evaluation.model_dump(mode="json", exclude={"baselines"}),
            "tasks": [task.attribute for task in self.config.model.next_attributes],
        }
        if cell.trained.kind == "variant":
            config = variant_config(self.config, cell.trained)
            depends |= {
                "model": config.model.model_dump(mode="json"),
                "training": config.training.model_dump(mode="json"),
                "format": FORMAT,
                "seed": cell.seed,
            }
        if cell.kind == "recbole":
            depends |= {"budget": self.budget_seconds, **SETTINGS, "seed": cell.seed}
        return fingerprint(depends)

    def _attributes_read(self, cell: Cell) -> list[Attribute]:
        """Return what the cell knows of the items: no other attribute is a reason to measure it again."""
        if cell.kind == "recbole":
            return []
        if cell.trained.kind != "variant":
            return [a for a in self.config.attributes if a.layout is not Layout.VECTORS]
        config = variant_config(self.config, cell.trained)
        tasks = [task.attribute for task in config.model.next_attributes]
        return [a for a in config.attributes if a.name in {*config.inputs, *tasks}]


if __name__ == "__main__":
    sys.exit(main())
