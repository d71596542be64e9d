"""Print recommendations on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from rich.console import Console
from rich.table import Table

from m2trec_merlin.cli.terminal import escape
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.serving.client import Explanation, Recommendations, SessionItem


def print_recommendations(
    console: Console,
    session: Sequence[SessionItem],
    recommendations: Recommendations,
    titles: Mapping[str, str],
) -> None:
    """Print a session, the items recommended for it, and the categories expected next.

    Args:
        console: the console to print to.
        session: the session as it was sent.
        recommendations: the server's answer.
        titles: the known titles of the session's items, by id.
    """
    console.print("[bold]Session[/bold]")
    for number, item in enumerate(session, start=1):
        console.print(f"  {number}. {escape(describe_item(item, titles))}")
    for warning in recommendations.warnings:
        console.print(f"[yellow]Note:[/yellow] {escape(warning)}")
    table = Table(title="Recommended next", title_justify="left", title_style="bold")
    table.add_column("#", justify="right")
    table.add_column("item")
    table.add_column("title")
    table.add_column("score", justify="right")
    if recommendations.explanations:
        table.add_column("because of")
    rows = zip(recommendations.item_ids, recommendations.titles, recommendations.scores, strict=True)
    reasons = map(describe_reason, recommendations.explanations)
    for number, (item_id, title, score) in enumerate(rows, start=1):
        why = [escape(reason) for reason in islice(reasons, 1)]
        table.add_row(str(number), escape(item_id), escape(title), f"{score:.3f}", *why)
    console.print(table)
    for task, values in recommendations.categories.items():
        shown = ", ".join(f"{value} {probability:.0%}" for value, probability in values)
        console.print(f"[bold]Next {escape(task)}:[/bold] {escape(shown) or 'no prediction'}")


def describe_reason(explanation: Explanation) -> str:
    """Return why an item was recommended: the source, and the event and attribute that mattered most."""
    if explanation.event is None:
        return explanation.by
    attribute = f", {explanation.attribute}" if explanation.attribute else ""
    return f"{explanation.by} ({explanation.event + 1}{attribute})"


def describe_item(item: SessionItem, titles: Mapping[str, str]) -> str:
    """Return a line about an item of a session: its id and title, or its raw attributes."""
    if isinstance(item, Mapping):
        attributes = ", ".join(f"{name}={value}" for name, value in item.items() if name != ITEM_ID)
        return f"{item.get(ITEM_ID, 'new item')}  ({attributes})"
    title = titles.get(str(item))
    return f"{item}  {title}" if title else str(item)
