"""The data that all systems share, and how what they rank is scored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.training.exchange import Exchange, Flat
from m2trec_merlin.artifacts import atomic_directory
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config, EvaluationConfig
from m2trec_merlin.evaluation.lists import RankedLists
from m2trec_merlin.evaluation.metrics import hit_and_mrr
from m2trec_merlin.evaluation.ranking import evaluate, sample_prefixes
from m2trec_merlin.sessions import Prefixes, Sessions

K = 20


def export(config: Config, folder: Path, valid_prefixes: int, max_sessions: int | None) -> Prefixes:
    """Write the training sessions and the validation prefixes for the runners.

    Args:
        config: of preprocessed data.
        folder: gets `data.npz`, and `train/` with the same sessions as Parquet.
        valid_prefixes: size of the seeded sample of validation prefixes.
        max_sessions: train on the last so many sessions only: the latest, where data are in order of time.

    Returns:
        The validation prefixes, whole and with their targets.
    """
    sessions = Sessions.load(config.directory / "preprocessed" / "sessions" / "train")
    train = Flat(sessions.rows, sessions.offsets).last(config.data.max_session_length)
    if max_sessions is not None:
        train = train.take(np.arange(max(0, len(train) - max_sessions), len(train)))
    validation = Sessions.load(config.directory / "preprocessed" / "sessions" / "valid").prefixes()
    sample = sample_prefixes(validation, valid_prefixes, config.seed)
    with atomic_directory(folder) as output:
        Exchange(train, cut_prefixes(sample, config.data.max_session_length)).save(output / "data.npz")
        (output / "train").mkdir()
        lists = pa.ListArray.from_arrays(pa.array(train.offsets, pa.int32()), pa.array(train.rows))
        pq.write_table(pa.table({"row": lists}), output / "train" / "part-0.parquet")
    return sample


def cut_prefixes(prefixes: Prefixes, max_length: int) -> Flat:
    """Return the last `max_length` events of each prefix."""
    lengths = np.minimum(prefixes.length, max_length)
    ends = prefixes.sessions.offsets[prefixes.session] + prefixes.length
    cut = prefixes.sessions.cut(ends - lengths, lengths)
    return Flat(cut.rows, cut.offsets)


def scorer(prefixes: Prefixes, catalogue: Catalogue) -> Callable[[np.ndarray], tuple[float, float]]:
    """Return what measures HIT@20 and MRR@20 of top lists, by the definitions of `m2trec evaluate`."""
    settings = EvaluationConfig(ks=[K], baselines=[], block_prefixes=256)

    def score(lists: np.ndarray) -> tuple[float, float]:
        ranked = RankedLists("benchmark", prefixes, lists, catalogue.n_rows)
        return hit_and_mrr(evaluate(ranked, prefixes, catalogue, settings), K)

    return score


def source_hash(*paths: Path) -> str:
    """Return a hash of files, and of all Python files below folders."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
