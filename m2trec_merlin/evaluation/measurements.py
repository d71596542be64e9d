"""Measurements, the rows of metrics.json: a number, its interval, and what it was measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from m2trec_merlin.artifacts import read_json, reading
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import EvaluationConfig
from m2trec_merlin.evaluation.bootstrap import session_intervals
from m2trec_merlin.evaluation.metrics import measure
from m2trec_merlin.evaluation.outcomes import Outcome
from m2trec_merlin.evaluation.slices import ALL, SLICES, Slice

#: Key in the manifest for the names of the run's own scorers: the model, and last the served mixture.
OURS = "ours"
#: Those of the entries that describe how it was measured, and of what tells whether the same prefixes were
#: scored as in another evaluation.
PROTOCOL, SCORED = "protocol", "scored"
METRICS_FILE = "metrics.json"


@dataclass(frozen=True)
class Measurement:
    """One metric of one model on one slice.

    Attributes:
        model: name of the scorer.
        data: name of the run.
        split: name of the split that was scored.
        slice: name of the part of the prefixes.
        metric: name of the metric, without the cut-off.
        k: cut-off.
        value: mean over the slice's prefixes, between 0 and 1; None if there are none.
        low: lower end of the 95 % interval; None without an interval, as for a single session.
        high: upper end, or None.
        n: number of prefixes that were measured.
        seed: seed of the sample and of the bootstrap.
        seconds: time of scoring and ranking, all slices together.
        candidates: description of the items that were ranked.
    """

    model: str
    data: str
    split: str
    slice: str
    metric: str
    k: int
    value: float | None
    low: float | None
    high: float | None
    n: int
    seed: int
    seconds: float
    candidates: str

    def as_dict(self) -> dict[str, Any]:
        """Return the row of metrics.json."""
        return asdict(self)


def read_measurements(folder: Path) -> list[Measurement]:
    """Read metrics.json in the folder of an evaluation.

    Raises:
        ArtifactError: the file is missing or damaged.
    """
    path = folder / METRICS_FILE
    rows = read_json(path, "evaluate")
    with reading(path, "evaluate"):
        return [Measurement(**row) for row in rows]


def overview(measurements: Sequence[Measurement]) -> dict[str, float]:
    """Return the main values for a comparison: all prefixes at each cut-off, slices at the largest one.

    Returns:
        Values by scorer, metric with cut-off, and slice: `M2TRec/HIT@20/All`.
    """
    largest = max((m.k for m in measurements), default=0)
    return {
        f"{m.model}/{m.metric}@{m.k}/{m.slice}": m.value
        for m in measurements
        if m.value is not None and (m.slice == ALL or m.k == largest)
    }


def summarise(
    outcome: Outcome,
    catalogue: Catalogue,
    config: EvaluationConfig,
    *,
    data: str,
    split: str,
    seed: int,
    slices: Sequence[Slice] = SLICES,
) -> list[Measurement]:
    """Measure an outcome on every slice, with bootstrap intervals."""
    measures = list(measure(outcome))
    values = np.stack([v for _, _, v in measures], axis=1)
    summary = []
    for part in slices:
        mask = part.mask(outcome.prefixes, catalogue, config)
        held = values[mask]
        low, high = session_intervals(held, outcome.prefixes.session[mask], config.bootstrap_samples, seed)
        for column, (metric, k, _) in enumerate(measures):
            measured = ~np.isnan(held[:, column])
            counted, sessions = held[measured, column], outcome.prefixes.session[mask][measured]
            # Resamples of a single session are all equal: an interval of width 0 would look certain.
            of_several = len(counted) and np.ptp(sessions) > 0
            summary.append(
                Measurement(
                    model=outcome.model,
                    data=data,
                    split=split,
                    slice=part.name,
                    metric=metric,
                    k=k,
                    value=float(counted.mean(dtype=np.float64)) if len(counted) else None,
                    low=_number(low[column]) if of_several else None,
                    high=_number(high[column]) if of_several else None,
                    n=len(counted),
                    seed=seed,
                    seconds=round(outcome.seconds, 3),
                    candidates=outcome.candidates,
                )
            )
    return summary


def _number(value: np.floating) -> float | None:
    return None if np.isnan(value) else float(value)
