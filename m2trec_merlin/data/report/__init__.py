"""The data report: what a person should know of the data before training."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from m2trec_merlin.data.report.counts import SplitCounts
from m2trec_merlin.data.report.findings import find
from m2trec_merlin.data.report.page import write_report
from m2trec_merlin.data.report.statistics import VERSION, DataStatistics, describe

__all__ = ["VERSION", "DataStatistics", "SplitCounts", "describe", "write"]


def write(statistics: DataStatistics, html: Path, numbers: Path) -> None:
    """Write the page, and the same as JSON."""
    findings = find(statistics)
    html.write_text(write_report(statistics, findings), encoding="utf-8")
    content = {"findings": findings, **asdict(statistics)}
    numbers.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
