from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_app import run, shop

__all__ = ["shop"]

Capture = pytest.CaptureFixture[str]


def test_valid_tables(shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    before = sorted(shop.parent.rglob("*"))
    assert run(monkeypatch, "check", "-c", shop) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("valid: sessions ") and line.endswith("9 items")
    assert run(monkeypatch, "check", "-c", shop, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert sorted(found) == ["counts", "notices", "problems", "valid"]
    assert found["valid"] is True and found["problems"] == []
    counts = found["counts"]
    assert sum(counts[split]["sessions"] for split in ("train", "valid", "test")) == 30
    assert counts["items"] == 9
    assert sorted(shop.parent.rglob("*")) == before


def damage_both(shop: Path) -> None:
    with (shop.parent / "interactions.csv").open("a") as file:
        file.write("\n,3\ns2,77")
    with (shop.parent / "items.csv").open("a") as file:
        file.write("3,again,cups\n")


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        ([], 3),
        (["data.columns.session_id=sesion"], 3),
        (["seed=-1", "training.epochs=none", "attributes.0.kind=picture"], 3),
    ],
)
def test_problems_are_those_of_the_verb_data_one_a_line(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, settings: list[str], problems: int
) -> None:
    damage_both(shop)
    options = [option for setting in settings for option in ("-s", setting)]
    assert run(monkeypatch, "check", "-c", shop, *options) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == problems
    assert run(monkeypatch, "check", "-c", shop, *options, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found == {"valid": False, "problems": lines, "notices": [], "counts": None}
    assert run(monkeypatch, "data", "-c", shop, *options) == 1
    told = capsys.readouterr().err
    assert [line.removeprefix("  - ") for line in told.splitlines()[1:]] == lines


def test_a_line_break_in_a_header_begins_no_problem(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    path = shop.parent / "items.csv"
    path.write_text(path.read_text().replace("category", '"product\ngroup"'))
    assert run(monkeypatch, "check", "-c", shop) == 1
    [line] = capsys.readouterr().out.splitlines()
    assert line.endswith(
        r"no column 'category', which attribute 'category' reads; there are item_id, title, 'product\ngroup'"
    )


def test_a_missing_configuration(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert run(monkeypatch, "check", "-c", "nowhere.yaml", "--json") == 1
    [problem] = json.loads(capsys.readouterr().out)["problems"]
    assert problem.startswith("nowhere.yaml: no such configuration file")


def test_what_machines_read_suits_any_terminal(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    kind = "attributes.0.kind=größe"
    assert run(monkeypatch, "check", "-c", shop, "-s", kind, "--json") == 1
    told = capsys.readouterr().out
    assert told.isascii() and "'größe'" in json.loads(told)["problems"][0]
    assert run(monkeypatch, "check", "-c", shop, "-s", "data.columns.item_id=größe", "--schema") == 0
    told = capsys.readouterr().out
    assert told.isascii() and "größe" in json.loads(told)["interactions"]["required"]


def test_text_between_colons_stays_text(shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Rich would make an emoji of it."""
    name = "data.interactions=home:bed:99.csv"
    assert run(monkeypatch, "check", "-c", shop, "-s", name, "--json") == 1
    assert "home:bed:99.csv" in json.loads(capsys.readouterr().out)["problems"][0]
    assert run(monkeypatch, "data", "-c", shop, "-s", name) == 1
    assert "home:bed:99.csv" in capsys.readouterr().err


def test_wrong_usage_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "check", "--jsno") == 2


def test_the_schema_needs_no_data(shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    (shop.parent / "items.csv").unlink()
    (shop.parent / "interactions.csv").unlink()
    assert run(monkeypatch, "check", "-c", shop, "--schema") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["items"]["required"] == ["item_id", "title", "category"]
    assert found["interactions"]["required"] == ["session_id", "item_id"]


def test_the_data_say_where_their_report_is(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    for _ in range(2):  # the second time they are up to date
        assert run(monkeypatch, "data", "-c", shop) == 0
        last = capsys.readouterr().out.splitlines()[-1]
        assert last == f"report: {shop.parent / 'run' / 'data' / 'report.html'}"
        assert Path(last.removeprefix("report: ")).is_file()
