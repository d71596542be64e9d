"""Cells that RecBole trains, in an environment of its own, on our split and within the budget."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import numpy as np

from benchmarks.paper.cells import Cell
from benchmarks.paper.results import CellResult, measure
from benchmarks.records import usable_cores
from benchmarks.training.data import cut_prefixes, scorer
from benchmarks.training.environments import python_of
from benchmarks.training.exchange import Exchange, Flat, Job
from benchmarks.training.process import Look, train
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.evaluation.lists import RankedLists
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.sessions import Prefixes, Sessions

#: Sessions and prefixes keep their last so many events, as in the paper; RecBole pads every prefix to it.
MAX_LENGTH = 20

#: What a budget of minutes on a CPU allows: small batches, so that there are more steps, RecBole's default
#: width, and ten times its default learning rate. On Diginetica's validation GRU4Rec has a HIT@20 of 26 %
#: after 120 s of it; width 128 with the default learning rate gave 1.9 % after 225 s.
SETTINGS = {"width": 64, "batch_size": 512, "learning_rate": 0.01}


class BestLook:
    """Scores validation lists, and keeps the test lists of the best look; those are scored once, at the end.

    Args:
        validation: HIT@20 and MRR@20 of the lists of the validation prefixes.
        n_validation: how many prefixes come first; the others are the test prefixes.
    """

    def __init__(self, validation: Callable[[np.ndarray], tuple[float, float]], n_validation: int) -> None:
        self.validation = validation
        self.n_validation = n_validation
        self.hit = -1.0
        self.test_lists: np.ndarray | None = None

    def __call__(self, lists: np.ndarray) -> tuple[float, float]:
        hit, mrr = self.validation(lists[: self.n_validation])
        if hit > self.hit:
            self.hit, self.test_lists = hit, lists[self.n_validation :]
        return hit, mrr


def run_recbole(
    cell: Cell,
    config: Config,
    catalogue: Catalogue,
    sessions: Sessions,
    validation: Prefixes,
    prefixes: Prefixes,
    commit: str,
    budget_seconds: float,
    report: Callable[[str], object],
) -> CellResult:
    """Train a model of RecBole and measure its lists on the test prefixes.

    Raises:
        RunnerFailed: it did not come to its end; the message names its log.
    """
    folder = config.directory.resolve() / "paper" / cell.slug
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    length = min(MAX_LENGTH, config.data.max_session_length)
    both = concatenate(cut_prefixes(validation, length), cut_prefixes(prefixes, length))
    exchange = Exchange(Flat(sessions.rows, sessions.offsets).last(length), both)
    exchange.save(folder / "data.npz")
    job = Job(
        data=str(folder / "data.npz"),
        train_folder="",
        folder=str(folder),
        max_length=length,
        n_rows=catalogue.n_rows,
        budget_seconds=budget_seconds,
        eval_seconds=max(60.0, budget_seconds / 4),
        threads=usable_cores(),
        seed=cell.seed,
        settings={
            "model": cell.model,
            **SETTINGS,
            "negatives": config.model.next_item.negatives,
            "epochs": 1000,
        },
    )
    job.save(folder / "job.json")
    best = BestLook(scorer(validation, catalogue), len(validation))

    def tell(look: Look) -> None:
        report(f"{cell.title}: {look.seconds:.0f} s, {look.epochs} epochs, validation HIT@20 {look.hit:.4f}")

    command = [str(python_of("recbole")), "-m", "benchmarks.training.run_recbole", str(folder / "job.json")]
    trained = train(cell.title, command, folder, best, commit=commit, threads=job.threads, report=tell)
    assert best.test_lists is not None
    ranked = RankedLists(cell.title, prefixes, best.test_lists, catalogue.n_rows)
    outcome = evaluate(ranked, prefixes, catalogue, config.evaluation)
    last, n_targets = trained.looks[-1], exchange.n_targets
    measurements, occurrences = measure(outcome, cell, catalogue, config)
    return CellResult(
        cell,
        commit,
        int(trained.facts["parameters"]),
        last.seconds,
        round(last.targets / n_targets, 2),
        measurements,
        occurrences,
        [{"epoch": look.targets / n_targets, "loss": None, "HIT@20": look.hit} for look in trained.looks],
    )


def concatenate(one: Flat, other: Flat) -> Flat:
    """Return the lists of both, one after the other."""
    offsets = np.concatenate([one.offsets, other.offsets[1:] + one.offsets[-1]])
    return Flat(np.concatenate([one.rows, other.rows]), offsets)
