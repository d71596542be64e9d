"""Choice and export of the index of candidates, which is compared with the scores of all candidates.

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
#: Share of the best rows that an index has to find for `auto` to take it.
_NEXT_TO_ALL = 0.99

_SESSIONS, _AT_ONCE = 128, 16
#: One in this many sample sessions is added once more with random items.
ONE_IN_WITH_OTHERS = 4
_TOP, _SEED = 20, 0


@dataclass(frozen=True)
class IndexSample:
    """Sessions that indexes are measured with.

    Attributes:
        queries: float32 [S, D], queries of the sessions.
        sessions: int64 [L] each, catalogue rows of the sessions.
        neighbours: lifts of neighbours; None if the model is served alone.
        n_usual: number of real sessions, which come first. The others have random items, so they are as far
            from the training data as sessions of new items.
    """

    queries: np.ndarray
    sessions: Sequence[np.ndarray]
    neighbours: Lifts | None
    n_usual: int

    @cached_property
    def lifts(self) -> list[Lift]:
        """What the neighbours of each session add to scores."""
        if self.neighbours is None:
            return [NO_LIFT] * len(self.queries)
        return [self.neighbours.near(rows) for rows in self.sessions]

    def asked(self) -> Asked:
        """Return the searches of all sessions, without the lifts of single rows by neighbours."""
        return Asked(self.queries, np.array([lift.novelty for lift in self.lifts], np.float32))

    def base(self, biases: np.ndarray) -> Base:
        """Return the additions to scores that all sessions share."""
        if self.neighbours is None:
            return Base(biases)
        return Base(biases + self.neighbours.background, self.neighbours.newness)


def write_index(wanted: str, folder: Path, sample: IndexSample, progress: Progress) -> tuple[str, float]:
    """Write an index into a version folder that already has the candidates.

    Args:
        wanted: name of an index, or "auto" for the first one worth trying that finds 99 % of the best 20.
        folder: version folder of the second step.
        sample: sessions to measure the index with.
        progress: listener for the chosen index and its recall.

    Returns:
        The name of the index, and the share of the best 20 items that it finds.

    Raises:
        ArtifactError: scores of the index are not those of the candidates.
        MissingDependencyError: an index that is wanted by name needs a package that is not installed.
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
    """Return the share of the best 20 rows that an index finds; of rows with the same score, any will do.

    Args:
        candidates: candidates of the index.
        folder: folder with the vectors and biases of the candidates.
        sample: sessions to measure the index with.

    Raises:
        ArtifactError: the index gives a row another score than its vector and bias do.
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
    """Return up to 128 evenly spaced sessions and their queries, plus some of them with random items.

    Args:
        model: the trained model, on the CPU.
        item_vectors: float32 [R, I], of the catalogue.
        sessions: sessions of catalogue rows to draw from.
        neighbours: lifts of the neighbours served with the model, if any.
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
    """Return random rows of a catalogue of `n_rows` to replace the rows of a session, int64 [L]."""
    return np.random.default_rng(_SEED).integers(NO_ITEM + 1, n_rows, len(rows))


def _inputs(item_vectors: np.ndarray, session: Sessions) -> dict[str, Any]:
    rows = session.rows
    arrays = {"vectors": item_vectors[rows], "lengths": np.array(len(rows)), "counted": most_recent(rows)}
    plain = {name: torch.from_numpy(array)[None] for name, array in arrays.items()}
    return plain | event_inputs(session)
