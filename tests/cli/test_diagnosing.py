from __future__ import annotations

import json
from pathlib import Path

import pytest

from m2trec_merlin.cli import diagnosing
from m2trec_merlin.config import Config
from m2trec_merlin.diagnosis.findings import Finding, State, ready
from tests.cli.test_app import error_of, run, shop

__all__ = ["shop"]

Capture = pytest.CaptureFixture[str]

LIMITED = {"disk": ready("much"), "GPU": Finding(State.LIMITED, "none [bold]", "time")}
BLOCKED = {**LIMITED, "ports": Finding(State.BLOCKED, "taken", "no server", "stop it")}


@pytest.mark.parametrize(("findings", "code"), [(LIMITED, 0), (BLOCKED, 3)])
def test_the_exit_code_says_whether_every_verb_can_run(
    findings: dict[str, Finding], code: int, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(diagnosing, "diagnose", lambda config: findings)
    assert run(monkeypatch, "doctor", "--json") == code
    told = json.loads(capsys.readouterr().out)
    assert told["able"] is (code == 0)
    assert told["findings"] == [finding.as_dict(name) for name, finding in findings.items()]
    assert told["findings"][1] == {
        "name": "GPU",
        "state": "limited",
        "found": "none [bold]",
        "cost": "time",
        "remedy": "",
    }
    assert run(monkeypatch, "doctor") == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["ok disk       much", "-- GPU        none [bold]", "              costs: time"]
    assert ("!! ports      taken" in lines) == ("              to do: stop it" in lines) == (code == 3)


def test_a_configuration_is_not_needed_but_one_that_is_named_is_read(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    seen: list[Config | None] = []
    monkeypatch.setattr(diagnosing, "diagnose", lambda config: seen.append(config) or {})
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "doctor") == 0
    assert run(monkeypatch, "doctor", "-c", shop) == 0
    assert seen[0] is None and seen[1] is not None and seen[1].name == "shop"
    assert run(monkeypatch, "doctor", "-s", "seed=1") == 1
    assert "complete_journey.yaml" in error_of(capsys)
    assert len(seen) == 2
