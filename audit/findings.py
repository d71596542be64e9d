"""The findings of an audit, compared with those that are accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from m2trec_merlin.artifacts import reading

ACCEPTED = Path(__file__).with_name("accepted.yaml")

_MOST_NAMED = 10


@dataclass(frozen=True)
class Finding:
    """A known vulnerability of a package.

    Attributes:
        package: the installed package, NAME==VERSION.
        names: the name of the advisory (PYSEC-..., GHSA-...), then its aliases, such as CVE-....
        fixed: versions without the vulnerability; empty if there are none yet.
    """

    package: str
    names: tuple[str, ...]
    fixed: tuple[str, ...]

    def __str__(self) -> str:
        fixed = f"fixed in {', '.join(self.fixed)}" if self.fixed else "not fixed in any release"
        return f"{self.package}: {' = '.join(self.names)}, {fixed}"


@dataclass(frozen=True)
class Report:
    """The result of looking up packages.

    Attributes:
        audited: packages that the service knows.
        unknown: packages that could not be looked up, or that the service does not know.
        findings: vulnerabilities of the audited packages.
    """

    audited: list[str]
    unknown: list[str]
    findings: list[Finding]


def parse_report(content: Mapping[str, Any]) -> Report:
    """Parse pip-audit's report in JSON."""
    report = Report([], [], [])
    for each in content["dependencies"]:
        if "skip_reason" in each:
            report.unknown.append(each["name"])
            continue
        package = f"{each['name']}=={each['version']}"
        report.audited.append(package)
        for found in each["vulns"]:
            names = (found["id"], *found.get("aliases", []))
            report.findings.append(Finding(package, names, tuple(found["fix_versions"])))
    return report


def read_accepted(path: Path = ACCEPTED) -> dict[str, str]:
    """Return the reason for each accepted advisory, by name.

    Raises:
        ArtifactError: the file is damaged, an advisory has no reason, or is listed twice.
    """
    accepted: dict[str, str] = {}
    with reading(path):
        for each in _yaml(path):
            for name in each["advisories"]:
                if name in accepted or not each["because"].strip():
                    raise ValueError(f"{name} is there twice, or without a reason")
                accepted[name] = " ".join(each["because"].split())
    return accepted


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def verdict(report: Report, accepted: Mapping[str, str]) -> tuple[int, list[str]]:
    """Return an exit code and the lines to print.

    Args:
        report: the report of the audit.
        accepted: reasons by name of the accepted advisory.

    Returns:
        The exit code, 2 if a package could not be looked up or there is none, else 1 if a finding is not
        accepted, else 0; and the lines.
    """
    open_findings, lines, used = [], [], set()
    for finding in report.findings:
        reasons = [name for name in finding.names if name in accepted]
        used.update(reasons)
        if reasons:
            lines.append(f"accepted: {finding}. {accepted[reasons[0]]}")
        else:
            open_findings.append(f"FOUND: {finding}; update it, or explain it in {ACCEPTED.name}")
    lines += open_findings
    if report.unknown:
        some = ", ".join(report.unknown[:_MOST_NAMED])
        more = f" and {len(report.unknown) - _MOST_NAMED} more" if len(report.unknown) > _MOST_NAMED else ""
        looked = f"{len(report.unknown)} of {len(report.unknown) + len(report.audited)} packages"
        lines.append(f"NOT AUDITED: the advisory service says nothing of {looked}: {some}{more}")
        return 2, lines
    if not report.audited:
        return 2, [*lines, "NOT AUDITED: nothing was looked up"]
    lines += [f"no longer found: {name}; take it out of {ACCEPTED.name}" for name in accepted.keys() - used]
    counts = f"{len(report.findings)} findings, {len(open_findings)} of them not accepted"
    return int(bool(open_findings)), [*lines, f"{len(report.audited)} packages audited: {counts}"]
