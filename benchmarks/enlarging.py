"""Copy an exported repository with a larger catalogue, to be served and measured like any other.

    python -m benchmarks enlarge --repository runs/N/triton --data runs/N/data --items 1000000 --into big
    python -m benchmarks serving --repository big --data runs/N/data

Further items repeat those of the export, with their histories, under other ids. Their vectors differ by noise
of half a column's spread, their titles by a word. The index is chosen and measured as by `m2trec export`, but
on test sessions. Such a copy answers requests; raw items and changes of its catalogue are those of the
original export.
"""

from __future__ import annotations

import dataclasses
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from benchmarks.frame.parse import Parser
from benchmarks.indexes import enlarge, sample_of
from benchmarks.serving import read_sessions
from m2trec_merlin.artifacts import atomic_directory
from m2trec_merlin.contract.checksums import seal
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.version import (
    BIASES,
    CANDIDATE_VECTORS,
    CATALOGUE_IDS,
    ITEM_VECTORS,
    ITEMS,
    NEIGHBOUR_TRENDS,
    Description,
)
from m2trec_merlin.manifests import require_manifest, write_manifest
from m2trec_merlin.neighbours.item_lists import LISTS
from m2trec_merlin.neighbours.metadata_knn import SAME
from m2trec_merlin.neighbours.word_likeness import TEXTS, WORDS
from m2trec_merlin.progress import SILENT
from m2trec_merlin.search.indexes import INDEXES
from m2trec_merlin.serving.export.index import AUTO, write_index
from m2trec_merlin.serving.export.repository import seal_models
from m2trec_merlin.serving.runtime.answering.neighbours import ExportedNeighbours

_QUERIES, _SEED = 256, 0


def options(parser: Parser) -> None:
    parser.add_export()
    parser.add_argument("--items", type=int, required=True, help="size of the catalogue, at least as large")
    parser.add_argument("--index", choices=[AUTO, *INDEXES], default=AUTO)
    parser.add_argument("--into", type=Path, required=True, help="folder of the copy")


def run(options: Namespace) -> None:
    exported = require_manifest(options.repository, "export")
    with atomic_directory(options.into) as copy:
        shutil.copytree(options.repository, copy, dirs_exist_ok=True)
        first, second = (version_folder(copy, name) for name in (PREPROCESS, PREDICT))
        version = Description.open(second)
        sample = sample_of(second, read_sessions(options.data), _QUERIES)
        enlarge_files(first, second, options.items)
        if version.neighbours:
            neighbours = ExportedNeighbours(second, version.mixture).at_export()
            sample = dataclasses.replace(sample, neighbours=neighbours)
        index, recall = write_index(options.index, second, sample, SILENT)
        for folder in (first, second):
            dataclasses.replace(version, index=index).write(folder)
        seal_models(copy)
        facts: dict[str, Any] = {"items": options.items, "index": index, "recall_at_20": round(recall, 6)}
        write_manifest(copy, "export", exported["settings"], **facts, version=exported["version"])
        seal(copy)
    print(f"{options.into}: {options.items:,} items, index {index}, which finds {recall:.2%} of the best 20")


def enlarge_files(first: Path, second: Path, n_items: int) -> None:
    """Write the files of both steps that hold data per item, for `n_items` items."""
    vectors, biases = np.load(second / CANDIDATE_VECTORS), np.load(second / BIASES)
    before = len(biases)
    rows = np.concatenate([[0], 1 + np.arange(n_items) % (before - 1)])
    larger, biases = enlarge(vectors, biases, n_items)
    if (second / LISTS).is_file():
        # Copies are in no list, and their own lists are empty.
        lists = sparse.load_npz(second / LISTS)
        lists.resize((n_items + 1, n_items + 1))
        sparse.save_npz(second / LISTS, lists)
    for name in (SAME, NEIGHBOUR_TRENDS):
        if (second / name).is_file():
            np.save(second / name, np.load(second / name)[rows])
    if (second / WORDS).is_file():
        times = np.maximum(np.arange(n_items + 1) - 1, 0) // (before - 1)
        texts = sparse.load_npz(second / WORDS)
        text_of = np.load(second / TEXTS)[rows] + times * texts.shape[0]
        sparse.save_npz(second / WORDS, reworded(texts, int(times[-1])))
        np.save(second / TEXTS, text_of.astype(np.int32))
    np.save(second / ITEM_VECTORS, np.load(second / ITEM_VECTORS)[rows])
    np.save(second / CANDIDATE_VECTORS, larger)
    np.save(second / BIASES, biases)
    items = pq.read_table(second / ITEMS).take(pa.array(rows[1:] - 1))
    ids = [
        item_id if place < before - 1 else f"{item_id}~{place}"
        for place, item_id in enumerate(items.column("item_id").to_pylist())
    ]
    items = items.set_column(items.schema.get_field_index("item_id"), "item_id", pa.array(ids, pa.string()))
    pq.write_table(items, second / ITEMS)
    pq.write_table(items.select(["item_id"]), first / CATALOGUE_IDS)


def reworded(texts: sparse.csr_matrix, times: int) -> sparse.csr_matrix:
    """Return texts, followed by `times` copies of all texts with one word of each replaced at random."""
    generator = np.random.default_rng(_SEED)
    starts, lengths = texts.indptr[:-1], np.diff(texts.indptr)
    parts = [texts]
    for _ in range(times):
        other = texts.copy()
        replaced = (starts + generator.integers(0, np.maximum(lengths, 1)))[lengths > 0]
        other.indices[replaced] = generator.integers(0, texts.shape[1], len(replaced))
        other.sum_duplicates()
        parts.append(other)
    return sparse.vstack(parts, "csr")
