"""The site: `make docs`. Pages are those of the repository, navigation is docs/index.md."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from m2trec_merlin import __version__  # noqa: E402

project = "m2trec-merlin"
version = release = __version__
language = "en-GB"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

# Pages stay where a plain git host shows them, so the source is the repository, not this folder.
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/*.md",
    "docker/README.md",
    "benchmarks/README.md",
    "benchmarks/results/*.md",
    "experiments/README.md",
    "experiments/results/*.md",
    "examples/*.ipynb",
]
exclude_patterns = [".venv", ".git", "runs", "build", "dist", "site", "tests", "benchmarks/environments"]

highlight_language = "none"  # what has no language is output
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]
nb_execution_mode = "off"  # a test runs the notebooks; what they printed is in them

default_role = "code"  # what single backticks mean in docstrings
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"m2trec-merlin {__version__}"
html_extra_path = ["start"]
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False

_LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)\)")


def read_source(app: Sphinx, page: str, source: list[str]) -> None:
    """Take links to folders away, which a site has no pages for; add the navigation to the first page."""
    here = (ROOT / page).parent

    def without_folders(link: re.Match[str]) -> str:
        return link[1] if (here / link[2]).is_dir() else link[0]

    if (ROOT / f"{page}.md").exists():
        source[0] = _LINK.sub(without_folders, source[0])
    if page == root_doc:
        source[0] += "".join(navigation(source[0]))


def navigation(text: str) -> list[str]:
    """Return a hidden table of contents for each section of links of the first page."""
    tables = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        caption, _, links = section.partition("\n")
        entries = [f"{title} </{_page(target)}>" for title, target in _LINK.findall(links)]
        lines = "\n".join(entries)
        tables.append(f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```")
    return tables


def _page(target: str) -> str:
    return str((ROOT / "docs" / target).resolve().relative_to(ROOT).with_suffix(""))


def setup(app: Sphinx) -> None:
    """Hook into reading."""
    app.connect("source-read", read_source)
