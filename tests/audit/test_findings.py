from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit import __main__ as program
from audit.findings import Report, parse_report, read_accepted, verdict
from audit.lookup import installed, read_output
from m2trec_merlin.errors import ArtifactError, ServerError

#: As pip-audit writes it.
CONTENT: dict[str, Any] = {
    "dependencies": [
        {"name": "good", "version": "1.0", "vulns": []},
        {
            "name": "bad",
            "version": "2.0",
            "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": ["CVE-1", "GHSA-1"]}],
        },
    ],
    "fixes": [],
}
SKIPPED = {"name": "strange", "skip_reason": "Dependency not found on PyPI and could not be audited"}


def test_a_finding_that_nobody_explained_fails() -> None:
    code, lines = verdict(parse_report(CONTENT), {})
    found, counts = lines
    assert code == 1 and found.startswith("FOUND: bad==2.0: PYSEC-1 = CVE-1 = GHSA-1, fixed in 2.1; ")
    assert counts == "2 packages audited: 1 findings, 1 of them not accepted"


def test_an_explained_one_passes_with_its_reason() -> None:
    code, lines = verdict(parse_report(CONTENT), {"CVE-1": "It cannot be reached."})
    assert code == 0 and lines[0].endswith("fixed in 2.1. It cannot be reached.")


def test_an_explanation_that_is_not_needed_any_more_is_said() -> None:
    code, lines = verdict(parse_report({"dependencies": CONTENT["dependencies"][:1]}), {"CVE-1": "x"})
    assert code == 0 and lines[0] == "no longer found: CVE-1; take it out of accepted.yaml"


def test_what_could_not_be_looked_up_fails_loudly() -> None:
    code, lines = verdict(parse_report({"dependencies": [SKIPPED] * 11}), {})
    assert code == 2
    assert lines[-1].startswith("NOT AUDITED: the advisory service says nothing of 11 of 11 packages: str")
    assert lines[-1].endswith("and 1 more")
    code, lines = verdict(parse_report({"dependencies": [*CONTENT["dependencies"], SKIPPED]}), {"CVE-1": "x"})
    assert code == 2 and "nothing of 1 of 3 packages: strange" in lines[-1]
    assert verdict(Report([], [], []), {}) == (2, ["NOT AUDITED: nothing was looked up"])


def test_a_service_that_cannot_be_reached_fails_loudly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(packages: list[str]) -> Report:
        return read_output("", "Traceback ...\nConnectionError: no route to host\n")

    monkeypatch.setattr(program, "look_up", unreachable)
    assert program.main() == 2
    assert capsys.readouterr().err == (
        "NOT AUDITED: pip-audit made no report: ConnectionError: no route to host\n"
    )


@pytest.mark.parametrize("output", ["", "[]", "{}", "no json"])
def test_output_that_is_no_report_is_an_error(output: str) -> None:
    with pytest.raises(ServerError, match="pip-audit made no report: it said nothing"):
        read_output(output, "")
    assert read_output(json.dumps(CONTENT), "").audited == ["good==1.0", "bad==2.0"]


def test_every_accepted_advisory_is_explained(tmp_path: Path) -> None:
    accepted = read_accepted()
    assert accepted and all(len(reason) > 40 for reason in accepted.values())
    for text in ("- {advisories: [A], because: ' '}", "- {advisories: [A, A], because: b}", "- {}", "{"):
        (tmp_path / "accepted.yaml").write_text(text)
        with pytest.raises(ArtifactError, match=r"accepted\.yaml"):
            read_accepted(tmp_path / "accepted.yaml")


def test_what_is_installed_is_named_as_the_service_knows_it() -> None:
    found = installed()
    assert not [each for each in found if each.startswith("m2trec") or "+" in each or each.count("==") != 1]
    assert any(each.startswith("torch==") for each in found)
