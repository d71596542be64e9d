"""Train and measure every model of the paper's tables on one data set.

    python -m experiments paper -c configs/instacart.yaml
    python -m experiments paper -c configs/instacart.yaml --seeds 42 43 44 --budget-seconds 600

The result of every cell (a model with a seed) is stored under runs/NAME/paper when it is finished: a killed
experiment continues after it, and our own models resume within a cell. The results so far are written after
each cell: paper-NAME.json, paper-NAME.md and plots. Rows of cells without a stored result stay as published.
All models are chosen on validation and measured on test once.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from rich.console import Console

from benchmarks.frame.keep import Store
from benchmarks.frame.parse import Parser, read
from benchmarks.frame.prepare import Prepared, prepare
from benchmarks.runners.process import RunnerFailed
from experiments.paper.cells import EVERY_SEED, Cell, choose, plan
from experiments.paper.own import run_fitted, run_variant, variant_config
from experiments.paper.recbole import SETTINGS, run_recbole
from experiments.paper.report import publish_results
from experiments.paper.results import CellResult
from m2trec_merlin.attributes import Attribute
from m2trec_merlin.encoded import Layout
from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.model.storage import FORMAT
from m2trec_merlin.runs.definitions import STEPS

#: Number of validation prefixes that choose the moment of RecBole's best model.
VALIDATION_PREFIXES = 5_000


def options(parser: Parser) -> None:
    """Declare the options of this experiment."""
    parser.add_config("configs/instacart.yaml")
    parser.add_seeds([42], "the first one is for all models")
    parser.add_argument(
        "--every-seed", nargs="+", default=list(EVERY_SEED), help="variants that are trained with all seeds"
    )
    parser.add_argument(
        "--budget-seconds", type=float, default=600.0, help="of training, for each of RecBole's models"
    )
    parser.add_how("--cells", nargs="+", help="only these, by the start of their names (trec_id-43)")
    parser.add_force()


def run(options: Namespace) -> int:
    """Run the cells without a stored result; returns the exit status."""
    console, config = Console(), read(options)
    cells = plan(config, options.seeds, options.every_seed)
    chosen = choose(cells, options.cells)
    bench = PaperBench(prepare(config), options.budget_seconds, options.stamp.commit, console)
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
            publish_results(results, cells, config, options.output, options.stamp)
    console.print(
        f"{len(results)} of {len(cells)} cells; tables: {options.output / f'paper-{config.name}.md'}"
    )
    if failed:
        console.print(f"failed: {', '.join(failed)}; the same command tries them again")
    return 1 if failed else 0


class PaperBench:
    """Runs cells on prepared data and stores their results.

    Args:
        data: prepared data of the configuration of M2TRec, from which variants differ.
        budget_seconds: training time of RecBole's models; ours train as configured.
        commit: commit of the code.
        console: console for the progress.
    """

    def __init__(self, data: Prepared, budget_seconds: float, commit: str, console: Console) -> None:
        self.data, self.config = data, data.config
        self.budget_seconds, self.commit, self.console = budget_seconds, commit, console
        self.store = Store(self.config.directory / "paper", CellResult)

    def kept(self, cell: Cell) -> CellResult | None:
        """Return the stored result of a cell with the same data and settings, or None."""
        return self.store.read(cell.slug, self._depends(cell))

    def run(self, cell: Cell) -> CellResult:
        """Train and measure a cell, and store the result."""
        prefixes = self.data.prefixes("test", self.config.evaluation.max_prefixes)
        if cell.kind in ("variant", "served"):
            result = run_variant(cell, self.data, prefixes, self.commit, self.console)
        elif cell.kind == "recbole":
            validation = self.data.prefixes("valid", VALIDATION_PREFIXES)
            result = run_recbole(cell, self.data, validation, prefixes, self.commit, self.budget_seconds)
        else:
            result = run_fitted(cell, self.data, prefixes, self.commit)
        self.store.write(cell.slug, self._depends(cell), result)
        return result

    def _depends(self, cell: Cell) -> dict[str, Any]:
        preprocessing = self.data.manifest["settings"]
        depends: dict[str, Any] = {
            "data": {name: value for name, value in preprocessing.items() if name != "attributes"},
            "attributes": [a.model_dump(mode="json") for a in self._attributes_read(cell)],
            "evaluation": self.config.evaluation.model_dump(mode="json", exclude={"baselines"}),
            "tasks": self.config.model.predicted_attributes,
        }
        if cell.trained.kind == "variant":
            config = variant_config(self.config, cell.trained)
            depends |= {
                "model": config.model.model_dump(mode="json"),
                "training": config.training.model_dump(mode="json"),
                "format": FORMAT,
                "seed": cell.seed,
            }
        if cell.kind not in ("variant", "recbole"):
            depends["known"] = STEPS["evaluate"].format
        if cell.kind == "served":
            depends["mixture"] = self.config.serving.mixture.model_dump(mode="json")
        if cell.kind == "recbole":
            depends |= {"budget": self.budget_seconds, **SETTINGS, "seed": cell.seed}
        return depends

    def _attributes_read(self, cell: Cell) -> list[Attribute]:
        """Return the attributes that the cell reads; changes of others are no reason to measure it again."""
        if cell.kind == "recbole":
            return []
        if cell.trained.kind != "variant":
            return [a for a in self.config.attributes if a.layout is not Layout.VECTORS]
        config = variant_config(self.config, cell.trained)
        read = {*config.inputs, *config.model.predicted_attributes}
        return [a for a in config.attributes if a.name in read]
