"""Replay of logged requests with another export, to see how far its answers differ from those shown.

A shadow test without a second fleet: both steps run here, in one process, on what clients really sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from m2trec_merlin.artifacts import reading
from m2trec_merlin.contract.names import (
    EVENT_ATTRIBUTES,
    ITEM_ATTRIBUTES,
    ITEM_IDS,
    OPTIONS,
    PREDICT,
    PREPROCESS,
    RECOMMENDED_IDS,
)
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.shown import LATER, PREFIX, SCHEMA, SUFFIX
from m2trec_merlin.errors import ArtifactError, M2TRecError
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep, answer_by_both

#: Size of the batches that sessions are answered in, as by a server under load.
_BATCH = 64
#: Files of a log.
_LOGGED = f"{PREFIX}*{SUFFIX}"


@dataclass(frozen=True)
class AnswerDifference:
    """Differences between the answers of an export and those that were shown, on the first k items.

    A request that the export refuses counts as 0 in `overlap`, `same` and `same_first`.

    Attributes:
        requests: number of requests that were answered again.
        refused: number of these requests that the export refuses.
        k: number of items of an answer that count.
        overlap: mean share of the longer answer's items that both answers have; 1 if both are empty.
        same: share of requests with the same items in the same order.
        same_first: share of requests with the same first item.
        rank_shift: mean difference of ranks of the items that both answers have; None if there are none.
        shown_by: fingerprints of the exports whose answers the log holds.
        against: fingerprint of the export that answered again.
    """

    requests: int
    refused: int
    k: int
    overlap: float
    same: float
    same_first: float
    rank_shift: float | None
    shown_by: list[str]
    against: str


def replay(log: Path, repository: Path, k: int, progress: Progress = SILENT) -> AnswerDifference:
    """Answer the requests of a log again, and compare the answers.

    Args:
        log: the folder of the log, or one of its files.
        repository: the model repository of the other export.
        k: number of items of an answer that count.
        progress: listener for the progress.

    Raises:
        ArtifactError: there is no such log, it holds no request, or the log or the repository is damaged.
    """
    files = log_files(log)
    total = sum(_rows(file) for file in files)
    if not total:
        raise ArtifactError(f"{log} holds no request that was answered")
    pairs: list[tuple[list[str], list[str]]] = []
    refused, done, shown_by = 0, 0, set()
    with (
        closing(PreprocessStep(version_folder(repository, PREPROCESS))) as first,
        closing(PredictStep(version_folder(repository, PREDICT))) as second,
    ):
        for rows in _batches(files):
            shown_by |= {row["model"] for row in rows}
            for row, answer in zip(rows, answer_again(first, second, rows), strict=True):
                if isinstance(answer, M2TRecError):
                    refused += 1
                else:
                    pairs.append((row["recommended_ids"][:k], answer[:k]))
            done += len(rows)
            progress.advance("answering again", done, total)
    overlaps, shifts = zip(*(compare_answers(*pair) for pair in pairs), strict=True) if pairs else ((), ())
    places = [place for shift in shifts for place in shift]
    none = [0.0] * refused
    return AnswerDifference(
        requests=total,
        refused=refused,
        k=k,
        overlap=_mean([*overlaps, *none]),
        same=_mean([*(shown == now for shown, now in pairs), *none]),
        same_first=_mean([*(shown[:1] == now[:1] for shown, now in pairs), *none]),
        rank_shift=_mean(places) if places else None,
        shown_by=sorted(shown_by),
        against=second.model,
    )


def compare_answers(shown: Sequence[str], now: Sequence[str]) -> tuple[float, list[int]]:
    """Return the overlap of two answers, and the difference of ranks of each item that both have."""
    places = {item: place for place, item in enumerate(now)}
    moved = [abs(places[item] - place) for place, item in enumerate(shown) if item in places]
    longer = max(len(shown), len(now))
    return len(moved) / longer if longer else 1.0, moved


def answer_again(
    first: PreprocessStep, second: PredictStep, rows: Sequence[dict[str, Any]]
) -> list[list[str] | M2TRecError]:
    """Return the recommended ids for each request in rows of a log, or the error that refuses it."""
    return [
        [item.decode() for item in each[RECOMMENDED_IDS][0].tolist()] if isinstance(each, dict) else each
        for each in answer_by_both(first, second, [_inputs(row) for row in rows])
    ]


def log_files(log: Path) -> list[Path]:
    """Return the files of a log, oldest first.

    Raises:
        ArtifactError: there are no files.
    """
    files = [log] if log.is_file() else sorted(log.glob(_LOGGED))
    if not files:
        raise ArtifactError(f"{log} holds no {_LOGGED}: serve with serving.log.folder={log}")
    return files


def _remedy(file: Path) -> str:
    if file.match(_LOGGED):
        return "remove it, and the requests in it are left out"
    return f"name the folder of the log (serving.log.folder), or one of its files, {_LOGGED}"


#: Columns that every request and every answer has.
_NEVER_NULL = ("model", "item_ids", "recommended_ids")


def _rows(file: Path) -> int:
    with reading(file, remedy=_remedy(file)):
        parquet = pq.ParquetFile(file)
        if missing := set(SCHEMA.names) - LATER - set(parquet.schema_arrow.names):
            raise ValueError(f"it has no column {', '.join(sorted(missing))}")
        own = [name for name in SCHEMA.names if name in parquet.schema_arrow.names]
        if other := [n for n in own if parquet.schema_arrow.field(n).type != SCHEMA.field(n).type]:
            raise ValueError(f"another type has {', '.join(other)}")
        rows: int = parquet.metadata.num_rows
    return rows


def _batches(files: Sequence[Path]) -> Iterator[list[dict[str, Any]]]:
    for file in files:
        with reading(file, remedy=_remedy(file)):
            for batch in pq.ParquetFile(file).iter_batches(_BATCH):
                if empty := [name for name in _NEVER_NULL if batch.column(name).null_count]:
                    raise ValueError(f"{', '.join(empty)} is missing in some rows")
                yield batch.to_pylist()


def _inputs(row: dict[str, Any]) -> dict[str, np.ndarray]:
    options = [row["options"]] if row["options"] else []
    texts = {
        ITEM_IDS: row["item_ids"],
        ITEM_ATTRIBUTES: row["item_attributes"],
        EVENT_ATTRIBUTES: row.get("event_attributes"),
        OPTIONS: options,
    }
    # Tensors that the client did not send are not sent again; only ids are required.
    return {name: _bytes(entries or []) for name, entries in texts.items() if entries or name == ITEM_IDS}


def _bytes(entries: list[str]) -> np.ndarray:
    return np.array([[entry.encode() for entry in entries]], dtype=object)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
