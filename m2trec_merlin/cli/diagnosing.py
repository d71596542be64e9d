"""`m2trec doctor`: what this machine has and lacks, for a person or a program, with an exit code."""

from __future__ import annotations

import json

from m2trec_merlin.cli.terminal import print_plain
from m2trec_merlin.config import Config
from m2trec_merlin.diagnosis.findings import Finding, State
from m2trec_merlin.diagnosis.run import diagnose

#: Exit codes; 1 is what every verb that fails returns, 2 what a wrong command line does.
ABLE, UNABLE = 0, 3

_MARKS = {State.READY: "ok", State.LIMITED: "--", State.BLOCKED: "!!"}


def run_doctor(config: Config | None, as_json: bool = False) -> int:
    """Look at the machine, print what was found, and return the exit code: UNABLE if a verb cannot run.

    Args:
        config: that the machine is held against; None for none in particular.
        as_json: print one JSON object rather than lines.
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
