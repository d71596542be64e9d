"""Make the data of runners from preprocessed sessions, and score their lists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.frame.prepare import hit_and_mrr_at_20
from benchmarks.runners.exchange import Exchange, Flat
from m2trec_merlin.artifacts import atomic_directory
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.evaluation.lists import RankedLists
from m2trec_merlin.sessions import Prefixes, Sessions

Score = Callable[[np.ndarray], tuple[float, float]]


def export(folder: Path, sessions: Sessions, prefixes: Prefixes, length: int, most: int | None) -> None:
    """Write training sessions and validation prefixes for the runners.

    Args:
        folder: folder for `data.npz`, and for `train/` with the same sessions as Parquet.
        sessions: the sessions to train on.
        prefixes: the prefixes to rank items after.
        length: number of events kept at the end of each session and prefix.
        most: number of sessions to train on, the last ones: the latest, if data are in order of time.
    """
    train = Flat(sessions.rows, sessions.offsets).last(length)
    if most is not None:
        train = train.take(np.arange(max(0, len(train) - most), len(train)))
    with atomic_directory(folder) as output:
        Exchange(train, cut_prefixes(prefixes, length)).save(output / "data.npz")
        (output / "train").mkdir()
        lists = pa.ListArray.from_arrays(pa.array(train.offsets, pa.int32()), pa.array(train.rows))
        pq.write_table(pa.table({"row": lists}), output / "train" / "part-0.parquet")


def cut_prefixes(prefixes: Prefixes, max_length: int) -> Flat:
    """Return the last `max_length` events of each prefix."""
    lengths = np.minimum(prefixes.length, max_length)
    ends = prefixes.sessions.offsets[prefixes.session] + prefixes.length
    cut = prefixes.sessions.cut(ends - lengths, lengths)
    return Flat(cut.rows, cut.offsets)


def scorer(prefixes: Prefixes, catalogue: Catalogue) -> Score:
    """Return a function that computes HIT@20 and MRR@20 of top lists, as defined by `m2trec evaluate`."""

    def score(lists: np.ndarray) -> tuple[float, float]:
        ranked = RankedLists("benchmark", prefixes, lists, catalogue.n_rows)
        return hit_and_mrr_at_20(ranked, prefixes, catalogue, block_prefixes=256)

    return score
