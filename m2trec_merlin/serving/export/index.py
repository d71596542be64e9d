"""The index of candidates: written, and held against the scores of all candidates before it is trusted.

Shape legend: S sample sessions, L events of one, D model width, R catalogue rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from m2trec_merlin.contract.version import BIASES, CANDIDATE_VECTORS
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.errors import ArtifactError, MissingDependencyError
from m2trec_merlin.histories import most_recent
from m2trec_merlin.model.m2trec import M2TRec
from m2trec_merlin.neighbours.mixture import Lifts
from m2trec_merlin.progress import Progress
from m2trec_merlin.scores import NO_LIFT, Lift
from m2trec_merlin.search.candidates import Asked, Base, Candidates, Wish
from m2trec_merlin.search.indexes import INDEXES
from m2trec_merlin.serving.export.graphs import event_inputs, session_graph
from m2trec_merlin.serving.export.onnx_files import TOLERANCE
from m2trec_merlin.sessions import Sessions

AUTO = "auto"
#: Share of the best rows of this model that an index has to find for `auto` to take it.
_NEXT_TO_ALL = 0.99

_SESSIONS, _AT_ONCE = 128, 16
#: One in so many sessions comes with other items, too.
ONE_IN_WITH_OTHERS = 4
_TOP, _SEED = 20, 0


@dataclass(frozen=True)
class IndexSample:
    """What indexes are measured with.

    Attributes:
        queries: float32 [S, D].
        sessions: int64 [L] each, the rows that they were made of.
        neighbours: what they add to scores; None where the model is served alone.
        n_usual: how many of them, the first ones, are as most sessions are; others are of items at random,
            as far from what was trained on as sessions of new items are.
    """

    queries: np.ndarray
    sessions: Sequence[np.ndarray]
    neighbours: Lifts | None
    n_usual: int

    @cached_property
    def lifts(self) -> list[Lift]:
        """What the sessions add to scores."""
        if self.neighbours is None:
            return [NO_LIFT] * len(self.queries)
        return [self.neighbours.near(rows) for rows in self.sessions]

    def asked(self) -> Asked:
        """Return what is searched for all of the sessions, but for their neighbours."""
        return Asked(self.queries, np.array([lift.novelty for lift in self.lifts], np.float32))

    def base(self, biases: np.ndarray) -> Base:
        """Return on what it is served."""
        if self.neighbours is None:
            return Base(biases)
        return Base(biases + self.neighbours.usual, self.neighbours.newness)


def write_index(wanted: str, folder: Path, sample: IndexSample, progress: Progress) -> tuple[str, float]:
    """Write an index into a version folder that has its candidates.

    Args:
        wanted: name of an index, or "auto": the first of those worth trying to find 99 % of the best 20.
        folder: version folder of the second step.
        sample: to measure it with.
        progress: is told what was chosen and what it finds.

    Returns:
        The name of the index, and the share of the best 20 items that it finds.

    Raises:
        ArtifactError: scores of the index are not those of the candidates.
        MissingDependencyError: the index that is wanted by its name needs what is not installed.
    """
    *rough, last = _worth_trying(folder, sample) if wanted == AUTO else [wanted]
    for name in rough:
        before = set(folder.iterdir())
        try:
            recall = _write(name, folder, sample)
        except MissingDependencyError as error:
            progress.say(f"index {name} is not tried: {error}")
            continue
        if recall >= _NEXT_TO_ALL:
            break
        progress.say(f"index {name} finds only {recall:.2%} of the best {_TOP} items")
        for file in set(folder.iterdir()) - before:
            file.unlink()
    else:
        name, recall = last, _write(last, folder, sample)
    progress.say(f"index {name}: finds {recall:.2%} of the best {_TOP} items")
    return name, recall


def _worth_trying(folder: Path, sample: IndexSample) -> list[str]:
    n_rows = len(np.load(folder / BIASES, mmap_mode="r"))
    usual = sample.lifts[: sample.n_usual]
    n_added = int(np.median([len(lift.rows) for lift in usual])) if usual else 0
    return [name for name, index in INDEXES.items() if index.is_worth_trying(n_rows, n_added)]


def _write(name: str, folder: Path, sample: IndexSample) -> float:
    INDEXES[name].write(folder, sample.base(np.load(folder / BIASES)), sample.asked())
    return measure_recall(INDEXES[name].open(folder), folder, sample)


def measure_recall(candidates: Candidates, folder: Path, sample: IndexSample) -> float:
    """Return the share of the best 20 rows that an index finds; of rows that score the same, any will do.

    Args:
        candidates: of the index.
        folder: holds the vectors and biases that it was written from.
        sample: to measure it with.

    Raises:
        ArtifactError: it gives a row another score than the candidates do.
    """
    vectors_RD, biases_R = np.load(folder / CANDIDATE_VECTORS, mmap_mode="r"), np.load(folder / BIASES)
    base = sample.base(biases_R)
    candidates = candidates.changed(base, vectors_RD[:0])
    wanted, found = 0, 0
    top = min(_TOP, int(np.isfinite(biases_R).sum()))
    for start in range(0, len(sample.queries), _AT_ONCE):
        block = sample.queries[start : start + _AT_ONCE]
        wishes = [Wish(top, lift=lift) for lift in sample.lifts[start : start + _AT_ONCE]]
        scores = block @ vectors_RD.T
        near = TOLERANCE * np.abs((scores + biases_R)[:, np.isfinite(biases_R)]).max(initial=1)
        for exact, wish, best in zip(scores, wishes, candidates.search(block, wishes), strict=True):
            exact += base.of(slice(None), wish.lift.novelty)
            exact[wish.lift.rows] += wish.lift.changes
            if not np.allclose(best.scores, exact[best.rows], rtol=0, atol=near):
                raise ArtifactError(
                    f"the index scores items otherwise than the model, by up to "
                    f"{np.abs(best.scores - exact[best.rows]).max():.3g}; the export is given up. "
                    "Export with serving.index: exact, and please report it"
                )
            least = np.partition(exact, -top)[-top]
            wanted += top
            found += int((exact[best.rows] >= least - near).sum())
    return found / wanted if wanted else 1.0


@torch.inference_mode()
def draw_sample(
    model: M2TRec, item_vectors: np.ndarray, sessions: Sessions, neighbours: Lifts | None
) -> IndexSample:
    """Return at most 128 sessions, spread over all, a few of other items, and their queries as served.

    Args:
        model: trained, on the CPU.
        item_vectors: float32 [R, I].
        sessions: of catalogue rows.
        neighbours: that are served with the model.
    """
    graph = session_graph(model)
    spread = np.linspace(0, len(sessions) - 1, _SESSIONS).astype(int)
    chosen = np.unique(spread) if len(sessions) else spread[:0]
    lengths = np.minimum(sessions.lengths[chosen], model.max_length)
    last = sessions.cut(sessions.offsets[chosen] + sessions.lengths[chosen] - lengths, lengths)
    others = replace(last, rows=others_for(last.rows, len(item_vectors)))
    usual = np.flatnonzero(lengths)
    singly = [last.take(np.array([place])) for place in usual]
    singly += [others.take(np.array([place])) for place in usual[::ONE_IN_WITH_OTHERS]]
    rows = [each.rows for each in singly]
    queries = [graph(**_inputs(item_vectors, each))[0].numpy() for each in singly]
    width = model.session_encoder.width
    together = np.concatenate([np.zeros((0, width), np.float32), *queries])
    return IndexSample(together, rows, neighbours, len(usual))


def others_for(rows: np.ndarray, n_rows: int) -> np.ndarray:
    """Return rows at random, of a catalogue of `n_rows`, in the place of others, int64 [L]."""
    return np.random.default_rng(_SEED).integers(NO_ITEM + 1, n_rows, len(rows))


def _inputs(item_vectors: np.ndarray, session: Sessions) -> dict[str, Any]:
    rows = session.rows
    arrays = {"vectors": item_vectors[rows], "lengths": np.array(len(rows)), "counted": most_recent(rows)}
    plain = {name: torch.from_numpy(array)[None] for name, array in arrays.items()}
    return plain | event_inputs(session)
