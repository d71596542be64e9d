"""`m2trec doctor`: report what this machine has and lacks, with an exit code for programs."""

from __future__ import annotations

import json

from m2trec_merlin.cli.terminal import print_plain
from m2trec_merlin.config import Config
from m2trec_merlin.diagnosis.findings import Finding, State
from m2trec_merlin.diagnosis.run import diagnose

#: Exit codes; every verb that fails returns 1, and a wrong command line returns 2.
ABLE, UNABLE = 0, 3

_MARKS = {State.READY: "ok", State.LIMITED: "--", State.BLOCKED: "!!"}


def run_doctor(config: Config | None, as_json: bool) -> int:
    """Examine the machine, print the findings, and return the exit code: UNABLE if a verb cannot run.

    Args:
        config: the configuration to check the machine for; None for none in particular.
        as_json: whether to print JSON instead of lines.
    """
    findings = diagnose(config)
    able = all(finding.state is not State.BLOCKED for finding in findings.values())
    if as_json:
        shown = [finding.as_dict(name) for name, finding in findings.items()]
        print_plain(json.dumps({"able": able, "findings": shown}, indent=1))
    else:
        for name, finding in findings.items():
            print_plain(_describe(name, finding))
        print_plain("\nevery verb can run here" if able else "\nnot every verb can run here: see !!")
    return ABLE if able else UNABLE


def _describe(name: str, finding: Finding) -> str:
    lines = [f"{_MARKS[finding.state]} {name:<10} {finding.found}"]
    lines += [f"{'':14}costs: {finding.cost}"] if finding.cost else []
    lines += [f"{'':14}to do: {finding.remedy}"] if finding.remedy else []
    return "\n".join(lines)
