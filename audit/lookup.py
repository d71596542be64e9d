"""Run pip-audit, which asks PyPI's advisory service, in a separate environment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from audit.findings import Report, parse_report
from m2trec_merlin.errors import MissingDependencyError, ServerError

_OURS = "m2trec-merlin"
_PIP_AUDIT = "pip-audit>=2.9,<3"


def installed() -> list[str]:
    """Return all packages of this environment except this one, as NAME==VERSION."""
    found = {each.metadata["Name"]: each.version for each in distributions()}
    # The service does not know local versions, such as torch's build for the CPU.
    return sorted(f"{name}=={version.split('+')[0]}" for name, version in found.items() if name != _OURS)


def look_up(packages: Iterable[str]) -> Report:
    """Look up packages, given as NAME==VERSION.

    Raises:
        MissingDependencyError: uv, which runs pip-audit, is not installed.
        ServerError: pip-audit could not be run, or could not reach its service.
    """
    uv = Path(sys.executable).with_name("uv")
    if not uv.is_file():
        raise MissingDependencyError(f"{uv} is not there: run `make setup`")
    with TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text("\n".join(packages), encoding="utf-8")
        options = ["--no-deps", "--disable-pip", "--format=json", "--progress-spinner=off"]
        command: list[str | Path] = [
            uv,
            "tool",
            "run",
            "--from",
            _PIP_AUDIT,
            "pip-audit",
            *options,
            "-r",
            requirements,
        ]
        done = subprocess.run(command, capture_output=True, text=True)
    return read_output(done.stdout, done.stderr)


def read_output(output: str, complaints: str) -> Report:
    """Return the report that pip-audit printed.

    Raises:
        ServerError: it printed none; the message contains its last complaint.
    """
    try:
        content: Any = json.loads(output)
        return parse_report(content)
    except (ValueError, KeyError, TypeError):
        *_, last = complaints.strip().splitlines() or ["it said nothing"]
        raise ServerError(f"pip-audit made no report: {last}") from None
