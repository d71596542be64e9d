"""Arrows point down: who may import whom, imports inside functions included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "m2trec_merlin"

#: The floors from the top down. A room may import from the rooms of lower floors, and from itself.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("__main__",),
    ("cli",),
    ("web",),
    ("",),
    ("library",),
    ("diagnosis",),
    (
        "training",
        "drift",
        "serving.export",
        "serving.server",
        "serving.replay",
        "serving.session_reading",
        "starting",
    ),
    ("evaluation",),
    ("serving.catalogue",),
    ("preprocessing", "serving.client", "serving.runtime"),
    ("model", "data", "tracking"),
    ("runs",),
    ("config",),
    ("baselines", "search"),
    ("neighbours", "workflows", "contract"),
    ("attributes", "readers"),
    ("merlin_adapter",),
    ("frames",),
    (
        "arrays",
        "compiled",
        "scratch",
        "artifacts",
        "catalogue",
        "column_names",
        "columns",
        "derived",
        "devices",
        "encoded",
        "errors",
        "graphs",
        "histories",
        "manifests",
        "missing",
        "ids",
        "pages",
        "shares",
        "progress",
        "rows",
        "scores",
        "sections",
        "sessions",
        "spelling",
        "version",
    ),
)
#: What runs inside Triton knows search, contract and the ground; the rest only where a request asks for it.
RUNTIME_MAY_USE = {
    "search",
    "contract",
    "neighbours",
    "workflows",
    "merlin_adapter",
    "attributes",
    "readers",
}
#: The rooms inside `serving.runtime`, as above.
RUNTIME_FLOORS: tuple[tuple[str, ...], ...] = (
    ("python_backend",),
    ("worker",),
    ("side_by_side",),
    ("observing",),
    ("steps",),
    ("reading", "answering"),
    ("options",),
    ("catalogue",),
    ("request_json",),
    ("background", "bounds", "faults", "notes", "requests", "tally"),
)
#: Programs above the package, in their own folders.
ABOVE = ("experiments", "benchmarks", "audit")


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path
    for folder in ("workflows", "triton_models"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            relative = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            yield f"{PACKAGE}.{relative}", path


def room(module: str) -> str:
    """The part of the house that a module belongs to: `model`, `serving.runtime`, or '' for the package."""
    parts = module.split(".")[1:]
    is_within = len(parts) > 1 and parts[0] == "serving"
    return ".".join(parts[: 2 if is_within else 1])


def imported(path: Path) -> Iterator[str]:
    """Everything that a file imports, but for what only runs when it is a program of its own."""

    class Visitor(ast.NodeVisitor):
        def __init__(self) -> None:
            self.found: list[str] = []

        def visit_If(self, node: ast.If) -> None:
            if "__name__ == '__main__'" not in ast.unparse(node.test):
                self.generic_visit(node)

        def visit_Import(self, node: ast.Import) -> None:
            self.found += [alias.name for alias in node.names]

        def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
            assert not node.level, f"{path}: relative import"
            assert node.module is not None
            self.found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]

        def visit_Call(self, node: ast.Call) -> None:
            assert "import_module" not in ast.unparse(node.func), f"{path}: an import that nobody sees"
            self.generic_visit(node)

    visitor = Visitor()
    visitor.visit(ast.parse(path.read_text(encoding="utf-8")))
    yield from visitor.found


def arrows() -> dict[str, set[str]]:
    """Of each module of the package those of the package that it imports."""
    known = {name for name, _ in modules()}
    return {
        name: {
            other
            for other in imported(path)
            if other in known and other != name and not name.startswith(f"{other}.")
        }
        for name, path in modules()
    }


def floor(name: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if name in rooms:
            return number
    raise AssertionError(f"'{name}' has no floor: add it to FLOORS and to docs/architecture.md")


def test_every_room_has_one_floor():
    rooms = [each for floor_ in FLOORS for each in floor_]
    assert len(rooms) == len(set(rooms))
    built = {room(name) for name, _ in modules()} - {"serving", "triton_models"}
    assert built == set(rooms)


def test_no_arrow_points_up():
    wrong = []
    for module, others in arrows().items():
        here = room(module)
        if here in ("triton_models", "serving"):
            continue
        for other in others:
            there = room(other)
            if there in (here, "serving"):
                continue
            if floor(there) < floor(here) or floor(there) == floor(here) < len(FLOORS) - 1:
                wrong.append(f"{module} -> {other}")
    assert not wrong, "\n".join(wrong)


def test_there_is_no_circle():
    graph = arrows()
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, "circle: " + " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for other in graph[module]:
                walk(other, (*path, module))
            done.add(module)

    for module in graph:
        walk(module, ())


def test_the_server_s_inside_knows_the_contract_and_the_ground():
    ground = set(FLOORS[-1])
    used = {
        room(other)
        for module, others in arrows().items()
        if room(module) == "serving.runtime"
        for other in others
    }
    assert used - ground - {"serving.runtime", "serving"} <= RUNTIME_MAY_USE


def test_no_arrow_points_up_inside_the_server():
    prefix = f"{PACKAGE}.serving.runtime."
    floors = {name: number for number, rooms in enumerate(RUNTIME_FLOORS) for name in rooms}

    def inside(module: str) -> str:
        return module.removeprefix(prefix).split(".")[0] if module.startswith(prefix) else ""

    assert {inside(name) for name, _ in modules()} - {""} == set(floors)
    wrong = [
        f"{module} -> {other}"
        for module, others in arrows().items()
        for other in others
        if inside(module) and inside(other) and inside(module) != inside(other)
        if floors[inside(other)] <= floors[inside(module)]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", ABOVE)
def test_nothing_below_knows_experiments_and_benchmarks(folder: str):
    for name, path in modules():
        for other in imported(path):
            assert other.split(".")[0] != folder, f"{name} imports {other}"


def test_rich_is_for_the_command_line():
    users = {room(name) for name, path in modules() if any(i.split(".")[0] == "rich" for i in imported(path))}
    assert users == {"cli"}


def test_no_file_is_long():
    beside = [path for folder in ("tests", *ABOVE) for path in (ROOT / folder).rglob("*.py")]
    long = {
        str(path.relative_to(ROOT)): count
        for path in [*(path for _, path in modules()), *beside]
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 350
    }
    assert not long
