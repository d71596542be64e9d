"""What the pages point to exists."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("*/*/README.md")])
PAGES = [page for page in PAGES if not {".venv", "results", "runs"} & set(page.relative_to(ROOT).parts)]
FOLDERS = "m2trec_merlin|workflows|triton_models|tests|docker|configs|benchmarks|experiments|docs"
#: Rooms of the package, which pages name without it.
ROOMS = sorted(path.name for path in (ROOT / "m2trec_merlin").iterdir() if path.is_dir())
#: Beside docs/, those that are on the site.
FOLDERS_WITH_A_PAGE = ("docker", "benchmarks", "experiments")


def test_there_are_pages():
    assert {"README.md", "docs/architecture.md", "docs/serving.md"} <= {
        str(page.relative_to(ROOT)) for page in PAGES
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(page: Path):
    text = page.read_text(encoding="utf-8")
    missing = []
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http:", "https:", "mailto:")) and not (page.parent / target).exists():
            missing.append(target)
    for path in re.findall(rf"(?<![\w./])((?:{FOLDERS})/[\w./-]*\.\w+)", text):
        if not re.search(r"\*|\.\.\.|[A-Z]{3}", path) and not (ROOT / path).exists():
            missing.append(path)
    for path in re.findall(rf"(?<![\w./])((?:{'|'.join(ROOMS)})/[\w./]*\.py)", text):
        bases = (ROOT, ROOT / "m2trec_merlin", page.parent)
        if not re.search("[A-Z]{3}", path) and not any((base / path).exists() for base in bases):
            missing.append(path)
    assert not missing


def anchors(page: Path) -> set[str]:
    """What headings of a page can be linked by, as git hosts spell it."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found: Counter[str] = Counter()
    spelled = set()
    for heading in re.findall(r"^#+ (.+?)\s*$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        spelled.add(f"{anchor}-{found[anchor]}" if found[anchor] else anchor)
        found[anchor] += 1
    return spelled


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_anchors_lead_to_headings(page: Path):
    for target, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
        other = page.parent / target if target else page
        assert anchor in anchors(other), f"{target}#{anchor}"


def test_every_page_is_in_the_navigation_once():
    index = ROOT / "docs" / "index.md"
    links = re.findall(r"^- \[[^\]]+\]\(([^)]+)\)", index.read_text(encoding="utf-8"), re.MULTILINE)
    linked = sorted((index.parent / link).resolve() for link in links)
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/results/*.md")]
    pages += [*ROOT.glob("examples/*.ipynb"), *(ROOT / f / "README.md" for f in FOLDERS_WITH_A_PAGE)]
    assert linked == sorted(set(pages) - {index})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_that_are_imported_exist(page: Path):
    text = page.read_text(encoding="utf-8")
    for module, names in re.findall(
        r"^from (m2trec_merlin[\w.]*) import (\w+(?:, \w+)*)$", text, re.MULTILINE
    ):
        for name in names.split(", "):
            assert hasattr(importlib.import_module(module), name), f"{module}.{name}"
    for module in re.findall(r"python -m (m2trec_merlin[\w.]*|benchmarks[\w.]*|experiments[\w.]*)", text):
        assert importlib.util.find_spec(module) is not None, module
