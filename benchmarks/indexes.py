"""Cost and recall of each index of candidates by size of the catalogue, in process, without Triton.

    python -m benchmarks indexes --repository runs/NAME/triton --data runs/NAME/data --items 92331 1000000

Candidates are those of an exported model. A smaller catalogue holds the first of them; a larger one repeats
them with noise of half a column's spread. Queries are test sessions without their last event. Indexes take
turns, query by query, so that other load on the machine affects all of them equally. Milliseconds are
processor time, on one thread.
"""

from __future__ import annotations

import json
import time
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.frame.parse import Parser
from benchmarks.frame.publish import publish, table
from benchmarks.serving import read_sessions
from m2trec_merlin.contract.names import PREDICT
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.version import (
    BIASES,
    CANDIDATE_VECTORS,
    ITEM_VECTORS,
    ITEMS,
    SESSION_GRAPH,
    Description,
)
from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.search.candidates import Asked, Base, Candidates, Wish
from m2trec_merlin.search.indexes import INDEXES
from m2trec_merlin.serving.export.index import ONE_IN_WITH_OTHERS, IndexSample, measure_recall, others_for
from m2trec_merlin.serving.runtime.answering.session_encoding import QueryEncoder, VectorSession

_SEED, _TOGETHER, _TOP = 0, 8, 20
_NOISE = 0.5


def options(parser: Parser) -> None:
    parser.add_export()
    parser.add_argument("--items", type=int, nargs="+", required=True, help="sizes of the catalogue")
    parser.add_argument("--queries", type=int, default=256, help="test sessions")
    parser.add_argument("--index", nargs="+", choices=INDEXES, default=list(INDEXES), help="to be measured")


def run(options: Namespace) -> None:
    predict = version_folder(options.repository, PREDICT)
    sample = sample_of(predict, read_sessions(options.data), options.queries)
    rows: list[dict[str, Any]] = []
    for n_items in options.items:
        vectors, biases = enlarge(np.load(predict / CANDIDATE_VECTORS), np.load(predict / BIASES), n_items)
        with TemporaryDirectory() as there:
            written = {
                name: write(Path(there) / name, name, vectors, biases, sample.asked())
                for name in options.index
            }
            opened = {name: INDEXES[name].open(Path(there) / name) for name in options.index}
            alone, together = (take_turns(opened, sample.queries, size) for size in (1, _TOGETHER))
            for name in options.index:
                rows.append(
                    {
                        "items": n_items,
                        "index": name,
                        "recall_at_20": round(measure_recall(opened[name], Path(there) / name, sample), 4),
                        "ms_alone": alone[name],
                        "ms_of_eight": together[name],
                        **written[name],
                        "commit": options.stamp.commit,
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
    heads = [name for name in rows[0] if name != "commit"]
    parts = [table(heads, [[f"{row[name]}" for name in heads] for row in rows], left=2)]
    title = f"Indexes of candidates, width {vectors.shape[1]}, {len(sample.queries)} queries"
    print(publish(options.output, "indexes", rows, options.stamp, title=title, parts=parts))


def sample_of(predict: Path, sessions: list[list[str]], count: int) -> IndexSample:
    """Return a sample of at most `count` sessions of a version folder's items, and a few of other items."""
    ids = RowsOfIds(pq.read_table(predict / ITEMS, columns=["item_id"]).column(0).to_pylist())
    vectors, most = np.load(predict / ITEM_VECTORS, mmap_mode="r"), Description.open(predict).max_length
    drawn = np.random.default_rng(_SEED).permutation(len(sessions))[:count]
    known = [np.array(ids.known(sessions[index])[-most:], np.int64) for index in drawn]
    usual = [each for each in known if len(each)]
    replaced = usual[::ONE_IN_WITH_OTHERS]
    others = others_for(np.concatenate(replaced), len(vectors))
    rows = [*usual, *np.split(others, np.cumsum([len(each) for each in replaced])[:-1])]
    encoded = QueryEncoder(predict / SESSION_GRAPH).encode(
        [VectorSession(each, np.asarray(vectors[each])) for each in rows]
    )
    return IndexSample(encoded[0], rows, None, len(usual))


def enlarge(vectors: np.ndarray, biases: np.ndarray, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors and biases of a catalogue of `n_items` items, after NO_ITEM; see the module."""
    rows = 1 + np.arange(n_items) % (len(vectors) - 1)
    larger = np.concatenate([vectors[:1], vectors[rows]])
    more = slice(len(vectors), None)
    generator = np.random.default_rng(_SEED)
    noise = generator.standard_normal(larger[more].shape, dtype=np.float32)
    larger[more] += noise * vectors[1:].std(axis=0) * _NOISE
    return larger, np.concatenate([biases[:1], biases[rows]])


def write(folder: Path, name: str, vectors: np.ndarray, biases: np.ndarray, asked: Asked) -> dict[str, float]:
    """Write an index into a folder; return the time and size."""
    folder.mkdir()
    np.save(folder / CANDIDATE_VECTORS, vectors)
    np.save(folder / BIASES, biases)
    started = time.perf_counter()
    INDEXES[name].write(folder, Base(biases), asked)
    seconds = time.perf_counter() - started
    size = sum(file.stat().st_size for file in folder.iterdir())
    return {"seconds_to_write": round(seconds, 1), "megabytes": round(size / 1e6)}


def take_turns(indexes: dict[str, Candidates], queries: np.ndarray, size: int) -> dict[str, float]:
    """Return the median processor milliseconds per query, if `size` queries are asked together."""
    spent: dict[str, list[float]] = {name: [] for name in indexes}
    for start in range(0, len(queries) - size + 1, size):
        for name, index in indexes.items():
            started = time.process_time()
            index.search(queries[start : start + size], [Wish(_TOP)] * size)
            spent[name].append(1000 * (time.process_time() - started) / size)
    return {name: round(float(np.median(each)), 3) for name, each in spent.items()}
