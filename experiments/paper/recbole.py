"""Cells of RecBole's models, trained in an environment of their own, on our split and within a budget."""

from __future__ import annotations

import shutil

import numpy as np

from benchmarks.frame.prepare import Prepared
from benchmarks.frame.publish import usable_cores
from benchmarks.runners.data import Score, cut_prefixes, scorer
from benchmarks.runners.exchange import Exchange, Flat, Job
from benchmarks.runners.process import run_job
from experiments.paper.cells import Cell
from experiments.paper.results import CellResult, measure
from m2trec_merlin.evaluation.lists import RankedLists
from m2trec_merlin.sessions import Prefixes

#: Number of last events kept of sessions and prefixes, as in the paper; RecBole pads every prefix to it.
MAX_LENGTH = 20

#: Settings for a budget of minutes on a CPU: small batches, so that there are more steps, RecBole's default
#: width, and ten times its default learning rate. On Diginetica's validation sessions GRU4Rec has a HIT@20 of
#: 26 % after 120 s with them; width 128 with the default learning rate gave 1.9 % after 225 s.
SETTINGS = {"width": 64, "batch_size": 512, "learning_rate": 0.01}


class BestLook:
    """Scores the validation lists of each look, and keeps the test lists of the best one, to be scored once.

    Args:
        validation: a function that returns HIT@20 and MRR@20 of lists for the validation prefixes.
        n_validation: number of validation prefixes, which come first; the others are the test prefixes.
    """

    def __init__(self, validation: Score, n_validation: int) -> None:
        self.validation = validation
        self.n_validation = n_validation
        self.hit = -1.0
        self.test_lists: np.ndarray | None = None

    def __call__(self, lists: np.ndarray) -> tuple[float, float]:
        """Score the lists of one look, int64 [P, TOP]."""
        hit, mrr = self.validation(lists[: self.n_validation])
        if hit > self.hit:
            self.hit, self.test_lists = hit, lists[self.n_validation :]
        return hit, mrr


def run_recbole(
    cell: Cell,
    data: Prepared,
    validation: Prefixes,
    prefixes: Prefixes,
    commit: str,
    budget_seconds: float,
) -> CellResult:
    """Train a model of RecBole and measure its lists on the test prefixes.

    Raises:
        RunnerFailed: training failed; the message names its log.
    """
    config = data.config
    folder = config.directory.resolve() / "paper" / cell.slug
    shutil.rmtree(folder, ignore_errors=True)
    length = min(MAX_LENGTH, config.data.max_session_length or MAX_LENGTH)
    both = concatenate(cut_prefixes(validation, length), cut_prefixes(prefixes, length))
    exchange = Exchange(Flat(data.train.rows, data.train.offsets).last(length), both)
    exchange.save(folder / "data.npz")
    job = Job(
        data=str(folder / "data.npz"),
        train_folder="",
        folder=str(folder),
        max_length=length,
        n_rows=data.catalogue.n_rows,
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
    best = BestLook(scorer(validation, data.catalogue), len(validation))
    trained = run_job(cell.title, "run_recbole", "recbole", job, best, commit)
    assert best.test_lists is not None
    ranked = RankedLists(cell.title, prefixes, best.test_lists, data.catalogue.n_rows)
    measured = measure(data.rank(ranked, prefixes), cell, data)
    last, n_targets = trained.looks[-1], exchange.n_targets
    return CellResult(
        cell,
        commit,
        int(trained.facts["parameters"]),
        last.seconds,
        round(last.targets / n_targets, 2),
        *measured,
        [{"epoch": look.targets / n_targets, "loss": None, "HIT@20": look.hit} for look in trained.looks],
    )


def concatenate(one: Flat, other: Flat) -> Flat:
    """Concatenate two sets of lists."""
    offsets = np.concatenate([one.offsets, other.offsets[1:] + one.offsets[-1]])
    return Flat(np.concatenate([one.rows, other.rows]), offsets)
