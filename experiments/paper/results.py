"""The stored result of a cell, and the list of numbers published for all cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.frame.prepare import Prepared
from benchmarks.frame.publish import usable_cores
from experiments.paper.cells import Cell
from m2trec_merlin.evaluation.measurements import Measurement, summarise
from m2trec_merlin.evaluation.outcomes import Outcome
from m2trec_merlin.evaluation.slices import ALL, occurrence_slices


@dataclass(frozen=True)
class CellResult:
    """A trained and measured cell.

    Attributes:
        cell: the cell.
        commit: commit of the code that trained and measured it.
        parameters: number of trainable parameters; None without any.
        seconds: time of training, without evaluation.
        epochs: number of epochs, a fraction if the budget ended one; None without training.
        measurements: measurements on the test prefixes, slice by slice.
        occurrences: measurements by training occurrences of the next item.
        history: loss and validation HIT@20 by epoch.
        cores: number of CPU cores used in training.
    """

    cell: Cell
    commit: str
    parameters: int | None
    seconds: float
    epochs: float | None
    measurements: list[Measurement]
    occurrences: list[Measurement]
    history: list[dict[str, Any]] = field(default_factory=list)
    cores: int = field(default_factory=usable_cores)


def measure(outcome: Outcome, cell: Cell, data: Prepared) -> tuple[list[Measurement], list[Measurement]]:
    """Measure an outcome on the slices of the tables, and by training occurrences of the next item."""
    settings, name = data.config.evaluation, data.config.name

    def on(**slices: Any) -> list[Measurement]:
        return summarise(outcome, data.catalogue, settings, data=name, split="test", seed=cell.seed, **slices)

    return on(), on(slices=occurrence_slices()) if outcome.items is not None else []


def to_rows(
    results: Sequence[CellResult], cells: Sequence[Cell], published: Sequence[dict[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return the rows to publish, a number each: first of the cells, then of the models over their seeds.

    A row holds model, data, split, slice, metric, k, value, n, seed, seconds (of training) and commit.
    Parameters, epochs and cores are rows, too, without a cut-off. If a model has several seeds, rows with
    `seed` null give mean and standard deviation (`spread`).

    Args:
        results: results of cells.
        cells: all cells of the tables, in order.
        published: rows published earlier; those of cells without a result stay.
    """
    of_cells: dict[tuple[str, int], list[dict[str, Any]]] = {(cell.title, cell.seed): [] for cell in cells}
    measured = {(result.cell.title, result.cell.seed) for result in results}
    for row in published:
        if (key := (row["model"], row["seed"])) in of_cells and key not in measured:
            of_cells[key].append(row)
    for result in results:
        of_cells[result.cell.title, result.cell.seed] = _rows_of(result)
    rows = [row for own in of_cells.values() for row in own]
    return rows + _over_seeds(rows)


def _rows_of(result: CellResult) -> list[dict[str, Any]]:
    first = result.measurements[0]
    common = {"model": result.cell.title, "data": first.data, "split": first.split}
    made = {"seed": result.cell.seed, "seconds": round(result.seconds, 1), "commit": result.commit}
    cores = None if result.parameters is None else result.cores
    facts = {"parameters": result.parameters, "epochs": result.epochs, "cores": cores}
    rows = [
        {**common, "slice": ALL, "metric": name, "k": None, "value": value, "n": None, **made}
        for name, value in facts.items()
        if value is not None
    ]
    for m in result.measurements:
        rows.append(
            {**common, "slice": m.slice, "metric": m.metric, "k": m.k, "value": m.value, "n": m.n, **made}
        )
    return rows


def _over_seeds(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["model"], row["slice"], row["metric"], row["k"]), []).append(row)
    means = []
    for group in groups.values():
        values = [row["value"] for row in group if row["value"] is not None]
        if len(values) < 2 or group[0]["k"] is None:
            continue
        seconds = float(np.mean([row["seconds"] for row in group]))
        commits = ", ".join(dict.fromkeys(row["commit"] for row in group))
        mean = {"value": float(np.mean(values)), "spread": float(np.std(values, ddof=1)), "seed": None}
        means.append({**group[0], **mean, "seconds": round(seconds, 1), "commit": commits})
    return means
