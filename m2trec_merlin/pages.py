"""Self-contained HTML pages: one file each, easy to pass around, legible in light and in dark mode."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --line: #d8dee4; --back: #fff;
  --card: #f6f8fa; --a: #2f6fdb; --b: #d97706; --c: #16936a }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --line: #3d444d;
  --back: #0d1117; --card: #161b22; --a: #6ea8fe; --b: #f0a94b; --c: #4cc79b } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--back); color: var(--ink) }
.wide { overflow-x: auto } h2 { margin-top: 2.4rem }
table { border-collapse: collapse; margin: 1.5rem 0; font-variant-numeric: tabular-nums; font-size: 13px }
caption { color: var(--soft); text-align: left; padding-bottom: .4rem }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
tbody th, thead tr:first-child th:first-child { text-align: left } tbody th { font-weight: 500 }
thead th[colspan] { text-align: center; border-left: 1px solid var(--line) }
.best { font-weight: 700 }
img { max-width: 100%; display: block; margin: 1rem 0; background: #fff }
dt { font-weight: 600; margin-top: .5rem } dd { margin: 0 0 0 1rem }
"""

#: CSS for a page with cards that begins with a list of findings.
CARDS = """
.findings { background: var(--card); border-left: 4px solid var(--a); border-radius: 6px;
  padding: .8rem 1rem .8rem 2.4rem } .findings li { margin: .3rem 0 }
.soft { color: var(--soft) }
h2 { border-bottom: 1px solid var(--line); padding-bottom: .3rem }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr)); gap: 1rem }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .7rem 1rem;
  overflow: hidden } .card h3 { margin: 0 } .card p { margin: .3rem 0 }
"""


def render_page(title: str, body: str, style: str = "") -> str:
    """Return a whole HTML file.

    Args:
        title: title and first heading of the page, as plain text.
        body: HTML below the heading.
        style: CSS in addition to what all pages share.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{style}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )


def render_table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table; the first cell of each row is its heading.

    Args:
        caption: plain text above the table, or "".
        headings: plain text, one for each column.
        rows: cells as plain text, as many per row as there are headings.
    """
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    lines = "".join(
        f"<tr><th>{escape(first)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for first, *cells in rows
    )
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide"><table>{above}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'
    )
