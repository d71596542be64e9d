"""Preprocess the data of a configuration if needed, and train models on them.

All calls of the product's steps are here, so that their progress is shown in one way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.cli.progress import TerminalProgress
from m2trec_merlin.config import Config, EvaluationConfig
from m2trec_merlin.data.preparation import prepare_data
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.evaluation.known import Known, known_before
from m2trec_merlin.evaluation.metrics import hit_and_mrr
from m2trec_merlin.evaluation.outcomes import Outcome
from m2trec_merlin.evaluation.ranking import evaluate, scored_prefixes
from m2trec_merlin.evaluation.served import mixture_of
from m2trec_merlin.evaluation.tuning.chosen import mixture_weights
from m2trec_merlin.evaluation.tuning.run import tune
from m2trec_merlin.manifests import require_manifest
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.neighbours.mixture import Mixture
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import HeldOut, Run
from m2trec_merlin.runs.settings import LONGEST_SESSION
from m2trec_merlin.scores import CategoryScorer, ItemScorer
from m2trec_merlin.sessions import Prefixes, Sessions, count_sessions, session_files
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.run import train

#: Cut-off of the main figures.
K = 20


@dataclass(frozen=True)
class Prepared:
    """The preprocessed data of a configuration, read on first use."""

    config: Config

    @property
    def run(self) -> Run:
        """The run of the configuration."""
        return Run(self.config)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest of `m2trec preprocess`."""
        return require_manifest(self.run.preprocessed, "preprocess")

    @property
    def max_length(self) -> int:
        """The most events of a training session."""
        length: int = self.manifest["sessions"]["train"][LONGEST_SESSION]
        return length

    @cached_property
    def catalogue(self) -> Catalogue:
        """All items."""
        return Catalogue.load(self.run.catalogue)

    @cached_property
    def train(self) -> Sessions:
        """Training sessions."""
        return Sessions.load(self.run.sessions("train"))

    @cached_property
    def known(self) -> Known:
        """The sessions known before the test sessions."""
        return known_before(self.run, self.catalogue)

    def prefixes(self, split: str, size: int | None = None) -> Prefixes:
        """Return the prefixes of a split, or a seeded sample of them."""
        return scored_prefixes(Sessions.load(self.run.sessions(split)), self.config, size)

    def loader(self) -> SessionLoader:
        """Return a loader of training sessions in the batches of training."""
        return SessionLoader(self.run.sessions("train"), self.batch_size, self.config.seed)

    @property
    def batch_size(self) -> int:
        """The number of sessions per training step."""
        return self.config.training.batch_of(count_sessions(session_files(self.run.sessions("train"))))

    def rank(
        self,
        scorer: ItemScorer | CategoryScorer,
        prefixes: Prefixes,
        progress: Progress = SILENT,
    ) -> Outcome:
        """Rank items after prefixes as `m2trec evaluate` does."""
        return evaluate(scorer, prefixes, self.catalogue, self.config.evaluation, progress=progress)


def prepare(config: Config) -> Prepared:
    """Run `m2trec data` and `m2trec preprocess` if their results are not current."""
    with TerminalProgress() as progress:
        prepare_data(config, progress=progress)
        preprocess(config, progress=progress)
    return Prepared(config)


def train_model(config: Config, console: Console) -> Path:
    """Train a model, or continue its training; return its folder."""
    with TerminalProgress(console) as progress:
        return train(config, progress=progress)


def served_mixture(
    config: Config,
    data: Prepared,
    model: ModelScorer,
    console: Console,
    listed: np.ndarray | None = None,
    before: HeldOut = "test",
) -> Mixture:
    """Return a trained model in the mixture that `m2trec tune` chooses on validation, or has chosen.

    Args:
        config: the configuration of the model.
        data: the data that it was trained on.
        model: the trained model as a scorer.
        console: the console for progress.
        listed: mask of items that count as listed after training, bool [N + 1]; default: the catalogue's.
        before: the split to be scored; earlier sessions are known.

    Raises:
        ConfigError: `serving.mixture` leaves the model alone.
    """
    with TerminalProgress(console) as progress:
        tune(config, progress=progress)
    weights = mixture_weights(Run(config))
    if weights is None:
        raise ConfigError(f"{config.name}: serving.mixture is off, so that the model is served alone")
    catalogue = data.catalogue if listed is None else replace(data.catalogue, listed=listed)
    known = data.known if before == "test" else known_before(data.run, data.catalogue, before)
    return mixture_of(weights, catalogue, known, model)


def hit_and_mrr_at_20(
    scorer: ItemScorer,
    prefixes: Prefixes,
    catalogue: Catalogue,
    candidates: np.ndarray | None = None,
    **settings: Any,
) -> tuple[float, float]:
    """Return HIT@20 and MRR@20 on some prefixes, by the definitions of `m2trec evaluate`.

    Args:
        scorer: the scorer of items.
        prefixes: the prefixes with their targets.
        catalogue: the catalogue of the run.
        candidates: mask of the items to rank, bool [N + 1]; default: all.
        settings: further settings of the evaluation.
    """
    wanted = EvaluationConfig(ks=[K], baselines=[], **settings)
    return hit_and_mrr(evaluate(scorer, prefixes, catalogue, wanted, candidates=candidates), K)
