from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer

from m2trec_merlin.cli import reference as module
from m2trec_merlin.cli.reference import reference


def test_the_page_in_docs_is_the_current_one() -> None:
    page = Path("docs/commands.md").read_text(encoding="utf-8")
    assert page == reference(), "run: python -m m2trec_merlin.cli.reference > docs/commands.md"


def test_arguments_options_and_groups_are_spelled_as_they_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    program, group = typer.Typer(), typer.Typer(name="more")
    program.add_typer(group)

    @program.command("open")
    def open_(
        paths: Annotated[list[str], typer.Argument(help="Files.")],
        to: Annotated[str, typer.Option(help="Where.")],
        mode: Annotated[Literal["a", "b"], typer.Option("--mode", "-m", help="How | why.")] = "a",
        as_json: Annotated[bool, typer.Option("--json")] = False,
        at_least: Annotated[float | None, typer.Option(help="Of all.")] = None,
    ) -> None:
        """Open files."""

    @group.command()
    def shut(name: Annotated[str | None, typer.Argument(help="Which.")] = None) -> None:
        """Shut one."""

    monkeypatch.setattr(module, "app", program)
    _, opened, shut_ = reference().split("\n## ")
    assert opened.splitlines() == [
        "m2trec open",
        "",
        "```",
        "m2trec open PATHS ... [OPTIONS]",
        "```",
        "",
        "Open files.",
        "",
        "| argument or option | meaning | default |",
        "|---|---|---|",
        "| `PATHS ...` | Files. | required |",
        "| `--to TO` | Where. | required |",
        "| `-m, --mode a\\|b` | How \\| why. | `a` |",
        "| `--json` |  |  |",
        "| `--at-least AT-LEAST` | Of all. |  |",
    ]
    assert shut_.splitlines()[3] == "m2trec more shut [NAME] [OPTIONS]"
