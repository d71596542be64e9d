"""The notebooks run from first to last, and hold nothing of the machine that ran them.

They run in this process, which has imported most of what they need; that each of them imports all that it
uses, ruff says. `make notebooks` runs them as Jupyter does.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def cells(notebook: Path) -> list[dict[str, Any]]:
    """Cells of code."""
    return [c for c in json.loads(notebook.read_text())["cells"] if c["cell_type"] == "code"]


def run(notebook: Path) -> tuple[dict[str, Any], list[object]]:
    """Run all cells; returns the names that there are then, and what the last line of each cell shows."""
    names: dict[str, Any] = {}
    shown = []
    for cell in cells(notebook):
        body = ast.parse("".join(cell["source"])).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), notebook.name, "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), notebook.name, "eval"), names))
    return names, shown


@pytest.mark.slow
@pytest.mark.triton
def test_they_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second, third = NOTEBOOKS

    names, shown = run(first)
    assert names["catalogue"].n_rows == 201
    # Unknown words and an unheard-of category are 2, absent values 1.
    new = shown[-1].iloc[0]
    assert (new["category"], new["brand"], new["tags"].tolist()) == (2, 1, [1])

    names, _ = run(second)
    table = names["everything"].query("metric == 'HIT' and k == 20")
    hits = dict(zip(table["model"], table["value"], strict=True))
    assert hits["M2TRec"] > 1.2 * hits["popularity"]

    names, _ = run(third)
    assert names["over_grpc"].item_ids == names["in_process"].item_ids
    assert "900001" in names["answer"].item_ids


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_kept_without_paths_of_a_machine(notebook: Path) -> None:
    outputs = [output for cell in cells(notebook) for output in cell["outputs"]]
    assert len(outputs) >= 5, "run: make notebooks"
    assert {output["output_type"] for output in outputs} <= {"stream", "execute_result"}
    assert not re.findall(r"(?<![\w.>])/[\w.-]+/[^<]", json.dumps(outputs))
