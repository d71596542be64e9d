"""The report of a comparison as an HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from m2trec_merlin.drift.measures import Difference
from m2trec_merlin.drift.result import Drift, in_words
from m2trec_merlin.pages import CARDS, render_page, render_table
from m2trec_merlin.shares import percent

_STYLE = (
    CARDS
    + """
.findings, .card.drift { border-color: var(--b) }
.pair { margin: 4px 0; font-size: 13px; overflow-wrap: anywhere }
.pair i { display: block; height: 5px; border-radius: 3px; background: var(--a); margin: 2px 0 }
.pair i + i { background: var(--b) }
"""
)


def to_html(drift: Drift) -> str:
    """Return the content of report.html."""
    found = "".join(f"<li>{escape(in_words(each))}</li>" for each in drift.found)
    cards = "".join(_card(each) for each in drift.differences if each.measure == "distance")
    body = (
        f'<p class="soft">{drift.sessions:,} new sessions of {escape(str(drift.data))} beside '
        f"{drift.trained_sessions:,} that {escape(str(drift.trained))} was trained on.</p>"
        f"<h2>What has drifted</h2>{f'<ol class=findings>{found}</ol>' if found else '<p>Nothing.</p>'}"
        f"<h2>Everything that was compared</h2>{_table(drift.differences)}{_lacking(drift.not_compared)}"
        "<h2>Values whose share changed most</h2>"
        '<p class="soft">Shares of events: in blue in training, below it in orange in the new data.</p>'
        f'<div class="cards">{cards}</div>'
        '<p class="soft">The same numbers are in report.json beside this page.</p>'
    )
    return render_page("New data beside the data of a model", body, _STYLE)


def _table(differences: Sequence[Difference]) -> str:
    rows = []
    for each in differences:
        is_distance = each.measure == "distance"
        then, now = ("", f"{each.new:.3f}") if is_distance else (percent(each.trained), percent(each.new))
        chance = f"{each.chance:.3f}" if is_distance else percent(each.chance)
        limit = f"{each.limit:g}" if is_distance else percent(each.limit)
        rows.append([each.what, each.measure, then, now, chance, limit, "drift" if each.is_drift else ""])
    return render_table(
        "Distances are those of Jensen and Shannon, 0 to 1; the limit is for what chance does not explain.",
        ["", "measure", "in training", "now", "by chance", "limit", ""],
        rows,
    )


def _lacking(attributes: Sequence[str]) -> str:
    if not attributes:
        return ""
    names = escape(", ".join(attributes))
    return f'<p class="soft">Not compared, since the new data were made without their columns: {names}.</p>'


def _card(each: Difference) -> str:
    highest = max((max(then, now) for _, then, now in each.values), default=1.0)
    pairs = "".join(
        f'<div class="pair">{escape(name)} <span class="soft">{percent(then)} → {percent(now)}</span>'
        f'<i style="width:{100 * then / highest:.1f}%"></i>'
        f'<i style="width:{100 * now / highest:.1f}%"></i></div>'
        for name, then, now in each.values
    )
    kind = "card drift" if each.is_drift else "card"
    about = f"distance {each.new:.3f}, by chance {each.chance:.3f}"
    return f'<div class="{kind}"><h3>{escape(each.what)}</h3><p class="soft">{about}</p>{pairs}</div>'
