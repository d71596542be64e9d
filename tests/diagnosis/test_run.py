from __future__ import annotations

import pytest

from m2trec_merlin.config import Config
from m2trec_merlin.diagnosis import run
from m2trec_merlin.diagnosis.findings import Finding, State, ready
from m2trec_merlin.diagnosis.run import CHECKS, diagnose


def test_every_check_finds_something_here() -> None:
    findings = diagnose(None)
    assert list(findings) == list(CHECKS)
    for name, finding in findings.items():
        assert finding.found, name
        assert bool(finding.cost) == (finding.state is not State.READY), name
    # Without these no test would have come this far.
    assert findings["Python"].state is findings["Merlin"].state is State.READY


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(config: Config | None) -> Finding:
        raise ImportError("libnumbers.so.1:\n cannot open shared object file")

    monkeypatch.setattr(run, "CHECKS", {"numbers": broken, "words": lambda config: ready("some")})
    found = diagnose(None)
    assert found["numbers"].state is State.BLOCKED
    assert found["numbers"].found == "ImportError: libnumbers.so.1: cannot open shared object file"
    assert found["words"] == ready("some")
